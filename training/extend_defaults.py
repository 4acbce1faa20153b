"""Settings that suit the amount of new data, each with its reason."""

from importlib.util import find_spec
from typing import Any

# Passes over the new sentences, by how many there are at most. Few sentences need many passes: what a new row learns
# depends on the number of steps, and a pass over 20 sentences is two of them.
_PASSES = ((50, 40), (200, 24), (1000, 12))
_MANY = 6
# An epoch ends with a measurement of the development data, which takes longer than a pass over a few sentences.
_EPOCHS = 8
_SMALL = 200


def size_defaults(sentences: int, *, recurrent: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Return settings of `FinetuneConfig` for an amount of new data, and the reasons by setting.

    Args:
        sentences: new annotated sentences to train on.
        recurrent: whether the encoder is isnad's own small one; otherwise it is a transformer.
    """
    passes = next((p for limit, p in _PASSES if sentences < limit), _MANY)
    epochs = min(passes, _EPOCHS)
    few = sentences < _SMALL
    batch = 8 if few else 16
    share = 0.5 if sentences < 1000 else 0.33
    settings: dict[str, Any] = {
        "epochs": float(epochs),
        "batch_size": batch,
        "head_learning_rate": 1e-3 if recurrent else 5e-4,
        "encoder_learning_rate": _encoder_rate(few, recurrent),
        "method": _method(few, recurrent),
        "keep": "last",
        "patience": 0,
        "distil": {"weight": 2.0},
        # Rows that begin as the mean of the marked words have learned more, with every amount of data.
        "extend": {"repeat": passes / epochs, "rehearsal": share, "rows": "examples"},
    }
    if settings["method"] == "lora":
        settings["encoder_learning_rate"] = 5e-4
    reasons = {
        "epochs": f"{passes} passes over {sentences} new sentences in {epochs} epochs of batches of {batch}: the fewer "
        "sentences, the more passes until their labels are learned",
        "extend.rehearsal": f"rehearsal {share:g}: in {round(100 * share)} of 100 paragraphs shown the old labels are "
        "known, so that they are not forgotten",
        "method": _method_reason(settings["method"], recurrent),
        "keep": "the last epoch is kept: so little development data would choose one by luck",
    }
    return settings, reasons


def _encoder_rate(few: bool, recurrent: bool) -> float:
    if recurrent:
        # Many passes over few sentences pull far what old labels share with them. With slower rates new labels were
        # half learned, with faster ones old relations got worse (seeds/tutorial/dev).
        return 2e-4 if few else 6e-4
    return 2e-5 if few else 3e-5


def _method(few: bool, recurrent: bool) -> str:
    return "lora" if few and not recurrent and find_spec("peft") else "full"


def _method_reason(method: str, recurrent: bool) -> str:
    if method == "lora":
        return "method lora: a large encoder would learn few sentences by heart"
    if recurrent:
        return "method full: the encoder is small, and the base model's scores hold it in place"
    return "method full, with a low rate for the encoder: the base model's scores hold it in place"
