"""A quick, fixed measure of an encoder: named entities of ANERcorp after one epoch of fine-tuning.

`python -m isnad.training.pretrain.probe ENCODER [--epochs 1] [--seeds 1,2,3] -o result.json`

It compares encoders, it does not make the best tagger: every encoder gets the same plain recipe, a linear layer
over the first piece of each word (Devlin et al. 2019, section 5.3), whatever might suit it better.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer, set_seed

from ...model import encoder as _encoder  # noqa: F401  (registers the recurrent encoder with the Auto classes)
from ...model.errors import ConfigError, IsnadError, ModelError
from ..data.corpora import load_corpus
from .prepare import whole

# The recipe; changing any of it makes results incomparable with those stored before.
RECIPE = {
    "learning_rate": 5e-4,
    "head_learning_rate": 5e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "batch_size": 16,
    "dropout": 0.1,
    "max_pieces": 126,
}
BATCH = int(RECIPE["batch_size"])
MAX_PIECES = int(RECIPE["max_pieces"])

IGNORED = -100
_DROPOUTS = (
    "dropout", "embedding_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout",
)  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A sentence of a column corpus.

    Attributes:
        words: as written.
        tags: IOB2, one a word.
    """

    words: list[str]
    tags: list[str]


def load_sentences(corpus: str | Path, part: str) -> list[Sentence]:
    """Return the sentences of one part, `train` or `dev`, of a corpus of `configs/data`, by name or path.

    Raises:
        ConfigError: an unknown corpus, one whose entities are nested, or one without a development part.
        DataError: its files are missing or faulty.
    """
    loaded = load_corpus(corpus, part)
    if loaded.config.nested:
        raise ConfigError(f"the entities of {corpus} are nested; accepted: a corpus with one tag a word")
    return [Sentence(list(words), [cell[0] for cell in cells]) for words, cells in loaded.tagged()]


def probe(
    encoder: str | Path,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    *,
    epochs: int = 1,
    seed: int = 1,
) -> dict[str, Any]:
    """Fine-tune a token classifier on an encoder and score it.

    Args:
        encoder: folder of an encoder that AutoModelForTokenClassification loads, with a fast tokenizer.
        train, dev: sentences to learn from and to be scored on.
        epochs: passes over the training sentences.
        seed: of the classifier, the order and the dropout.

    Returns:
        `f1`, `precision`, `recall` (micro, seqeval, strict IOB2), `by_label` F1, and `seconds` of fine-tuning.

    Raises:
        ModelError: there is no such encoder.
    """
    set_seed(seed)
    labels = sorted({t for s in train for t in s.tags} | {"O"})
    model, tokenizer = _load(Path(encoder), labels)
    index = {label: n for n, label in enumerate(labels)}
    windows = [cut(s, tokenizer, index) for s in train]
    begun = time.perf_counter()
    _fit(model, windows, tokenizer.pad_token_id, epochs, seed)
    seconds = time.perf_counter() - begun
    return score(dev, predict(model, tokenizer, dev, labels)) | {"seed": seed, "seconds": round(seconds, 1)}


def cut(
    sentence: Sentence, tokenizer: Any, index: dict[str, int], *, max_pieces: int = MAX_PIECES
) -> list[tuple[list[int], list[int]]]:
    """Return windows of a sentence as piece ids and labels, the label at the first piece of its word.

    A long sentence gives several windows, cut between words, and every word has its label in one of them: one that
    the tokenizer leaves nothing of becomes the unknown piece.
    """
    encoded = tokenizer(sentence.words, is_split_into_words=True, add_special_tokens=False)
    pieces: list[list[int]] = [[] for _ in sentence.words]
    for word, piece in zip(encoded.word_ids(), encoded["input_ids"], strict=True):
        pieces[word].append(piece)
    windows: list[tuple[list[int], list[int]]] = []
    ids: list[int] = []
    labels: list[int] = []
    for word, tag in zip(pieces, sentence.tags, strict=True):
        word = word[:max_pieces] or [tokenizer.unk_token_id]
        if len(ids) + len(word) > max_pieces:
            windows.append((ids, labels))
            ids, labels = [], []
        ids = ids + word
        # A tag that training never showed counts in the score, but there is no output for it.
        labels = [*labels, index.get(tag, index["O"]), *[IGNORED] * (len(word) - 1)]
    windows.append((ids, labels))
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    return [([cls, *i, sep], [IGNORED, *n, IGNORED]) for i, n in windows]


def predict(model: Any, tokenizer: Any, sentences: Sequence[Sentence], labels: list[str]) -> list[list[str]]:
    """Return the likeliest tag of every word."""
    index = {label: n for n, label in enumerate(labels)}
    rows = [(n, window) for n, s in enumerate(sentences) for window in cut(s, tokenizer, index)]
    found: dict[int, list[str]] = {}
    # In batches of like length; the windows of one sentence are put together in their order afterwards.
    order = sorted(range(len(rows)), key=lambda r: len(rows[r][1][0]))
    tags: dict[int, list[str]] = {}
    model.eval()
    with torch.inference_mode():
        for at in range(0, len(order), 4 * BATCH):
            chosen = order[at : at + 4 * BATCH]
            inputs = _pad([rows[r][1] for r in chosen], tokenizer.pad_token_id, model.device)
            best = model(input_ids=inputs[0], attention_mask=inputs[1]).logits.argmax(dim=-1)
            for r, row, gold in zip(chosen, best.tolist(), inputs[2].tolist(), strict=True):
                tags[r] = [labels[p] for p, g in zip(row, gold, strict=True) if g != IGNORED]
    for r, (n, _) in enumerate(rows):
        found.setdefault(n, []).extend(tags[r])
    return [found[n] for n in range(len(sentences))]


def score(gold: Sequence[Sentence], predicted: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return micro F1, precision and recall, and F1 by label (seqeval, strict IOB2)."""
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    table: Any = classification_report(
        [s.tags for s in gold],
        [list(p) for p in predicted],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    micro = table["micro avg"]
    by_label = {k: round(float(v["f1-score"]), 4) for k, v in table.items() if not k.endswith(" avg")}
    return {
        "f1": round(float(micro["f1-score"]), 4),
        "precision": round(float(micro["precision"]), 4),
        "recall": round(float(micro["recall"]), 4),
        "by_label": by_label,
    }


def probe_seeds(
    encoder: str | Path,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    *,
    epochs: int,
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Probe with several seeds; `f1` is their mean and `spread` their standard deviation."""
    runs = [probe(encoder, train, dev, epochs=epochs, seed=seed) for seed in seeds]
    scores = [run["f1"] for run in runs]
    return {
        "f1": round(mean(scores), 4),
        "spread": round(stdev(scores), 4) if len(scores) > 1 else None,
        "seeds": runs,
        "recipe": {"epochs": epochs, **RECIPE},
        "train_sentences": len(train),
        "dev_sentences": len(dev),
    }


def _load(folder: Path, labels: list[str]) -> tuple[Any, Any]:
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        for key in _DROPOUTS:
            if getattr(config, key, None) is not None:
                setattr(config, key, RECIPE["dropout"])
        config.id2label, config.label2id = dict(enumerate(labels)), {t: n for n, t in enumerate(labels)}
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForTokenClassification.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"cannot load the encoder {folder}: {str(error).splitlines()[0]}") from error
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def _fit(model: Any, sentences: list[list[Any]], pad: int, epochs: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * -(-len(sentences) // BATCH)
    encoder = {id(p) for p in model.base_model.parameters()}
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p],
                "lr": RECIPE["learning_rate" if id(p) in encoder else "head_learning_rate"],
                "weight_decay": RECIPE["weight_decay"] if p.ndim > 1 else 0.0,
            }
            for p in model.parameters()
        ]
    )
    rise = max(RECIPE["warmup"] * steps, 1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / rise, (steps - step) / max(steps - rise, 1.0))
    )
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(sentences), generator=generator).tolist()
        for at in range(0, len(order), BATCH):
            batch = [window for n in order[at : at + BATCH] for window in sentences[n]]
            ids, mask, labels = _pad(batch, pad, model.device)
            model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


def _pad(
    windows: Sequence[tuple[list[int], list[int]]], pad: int, device: Any
) -> tuple[Tensor, Tensor, Tensor]:
    length = max(len(ids) for ids, _ in windows)
    ids = torch.full((len(windows), length), pad)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, (pieces, tags) in enumerate(windows):
        ids[row, : len(pieces)] = torch.tensor(pieces)
        labels[row, : len(tags)] = torch.tensor(tags)
        mask[row, : len(pieces)] = 1
    return ids.to(device), mask.to(device), labels.to(device)


def quiet() -> None:
    """Silence what transformers says about every classifier whose head is fresh, as it has to be here."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def main(arguments: list[str]) -> int:
    """Probe the encoder named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.training.pretrain.probe", description=__doc__)
    parser.add_argument("encoder", type=Path, help="folder of an encoder")
    parser.add_argument("--corpus", default="anercorp", help="name of configs/data, or a file like those")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", default="1,2,3", help="comma-separated")
    parser.add_argument("-o", "--output", type=Path, help="JSON file of the result")
    options = parser.parse_args(arguments)
    quiet()
    try:
        train, dev = (load_sentences(options.corpus, part) for part in ("train", "dev"))
        seeds = [int(s) for s in options.seeds.split(",")]
        result = probe_seeds(options.encoder, train, dev, epochs=options.epochs, seeds=seeds)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"micro F1 {result['f1']:.4f}, spread {result['spread']}")
    if options.output:
        content = json.dumps({"encoder": options.encoder.name, **result}, indent=1, ensure_ascii=False)
        whole(options.output, lambda path: path.write_text(content + "\n", encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
