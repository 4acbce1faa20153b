"""Which pretraining gives most for equal time: objectives and starts, measured by the probe.

`python -m isnad.training.pretrain.compare CONFIG -o result.json [--work FOLDER]`
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import set_seed

from ...model.errors import ConfigError, DataError, IsnadError, nearest
from ..config import load_config
from .encoders import fresh_encoder, set_vectors
from .prepare import Prepared, prepare, whole
from .probe import RECIPE, Sentence, load_sentences, probe_seeds, quiet
from .recipe import train_encoder
from .report import machine, versions, without_folders
from .settings import PretrainConfig

log = logging.getLogger(__name__)

# What differs from the configuration; None stands for no training at all.
VARIANTS: dict[str, dict[str, Any]] = {
    "mlm-cold": {"objective": "mlm", "warm_start": False},
    "mlm-warm": {"objective": "mlm", "warm_start": True},
    "electra-warm": {"objective": "electra", "warm_start": True},
    "vectors-only": {"minutes": None, "warm_start": True},
    "none": {"minutes": None, "warm_start": False},
}

_FACTS = (
    "objective", "steps", "tokens", "seconds", "tokens_per_second", "energy_estimate", "loss_history", "config",
)  # fmt: skip


@dataclass(frozen=True)
class CompareConfig:
    """A comparison; every field is a key of the YAML file.

    Attributes:
        pretraining: what the variants have in common; its budget, objective and start are replaced.
        core_minutes_each: training time of every variant that trains, in minutes of one core. Time that the
            process computes, not time on the wall: other work on the machine then costs no variant its steps.
        variants: names of `VARIANTS`, in the order in which they run.
        corpus: of the probe, a name of `configs/data`.
        epochs, seeds: of the probe.
    """

    pretraining: PretrainConfig = field(default_factory=lambda: PretrainConfig(minutes=1.0))
    core_minutes_each: float = 8.0
    variants: tuple[str, ...] = tuple(VARIANTS)
    corpus: str = "anercorp"
    epochs: int = 1
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])

    def __post_init__(self) -> None:
        for name in self.variants:
            if name not in VARIANTS:
                raise ConfigError(f"variants: unknown name {name!r}; {nearest(name, VARIANTS)}")
        if self.core_minutes_each <= 0 or self.epochs <= 0:
            raise ConfigError("core_minutes_each or epochs is not above 0; accepted: numbers above 0")
        if not self.seeds or not all(isinstance(s, int) and not isinstance(s, bool) for s in self.seeds):
            raise ConfigError(f"seeds is {self.seeds!r}; accepted: a list of whole numbers")

    def variant(self, name: str) -> PretrainConfig:
        """Return the configuration of a variant; one that is not trained has a budget all the same."""
        changes: dict[str, Any] = {"steps": 0, "minutes": self.core_minutes_each, "name": name}
        changes |= {k: v for k, v in VARIANTS[name].items() if v is not None}
        return replace(self.pretraining, **changes)


def compare(config: CompareConfig, output: Path, work: Path) -> dict[str, Any]:
    """Pretrain and probe the variants, and write what is found after each of them.

    A variant that has a result in `output` is skipped, and a training that was cut off goes on.

    Args:
        config: the comparison.
        output: JSON file of the results.
        work: working folder: what is prepared (unless the configuration names a folder for it), and a folder
            for each variant.

    Returns:
        The content of `output`.

    Raises:
        ConfigError: `output` holds results of another configuration.
    """
    shared = {"core_minutes_each": config.core_minutes_each, "corpus": config.corpus, "epochs": config.epochs}
    shared |= {"seeds": config.seeds, "pretraining": without_folders(config.pretraining), "recipe": RECIPE}
    content: dict[str, Any] = {"config": shared, "machine": machine(), "versions": versions(), "variants": {}}
    if output.is_file():
        content = _earlier(output, shared)
    due = [name for name in config.variants if name not in content["variants"]]
    if not due:
        return content
    base = config.pretraining
    prepared = prepare(replace(base, warm_start=True), Path(base.prepared) if base.prepared else work)
    content["data"] = prepared.report
    train, dev = (load_sentences(config.corpus, part) for part in ("train", "dev"))
    output.parent.mkdir(parents=True, exist_ok=True)
    for name in due:
        log.info("variant %s", name)
        content["variants"][name] = _run(config, name, prepared, work / name, train, dev)
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        whole(output, lambda path, text=text: path.write_text(text, encoding="utf-8"))  # type: ignore[misc]
    return content


def _run(
    config: CompareConfig,
    name: str,
    prepared: Prepared,
    folder: Path,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
) -> dict[str, Any]:
    variant = config.variant(name)
    trained = "minutes" not in VARIANTS[name]
    result: dict[str, Any] = {"changes": {k: v for k, v in VARIANTS[name].items() if v is not None}}
    if trained:
        encoder = folder / "encoder"
        if not (encoder / "config.json").is_file():
            train_encoder(variant, prepared, folder, now=time.process_time)
        facts = json.loads((encoder / "pretraining.json").read_text(encoding="utf-8"))
        result |= {key: facts[key] for key in _FACTS}
    else:
        encoder = _untrained(variant, prepared, folder / "encoder")
        result |= {"objective": None, "steps": 0, "tokens": 0, "seconds": 0.0}
        result["config"] = without_folders(variant)
    result["probe"] = probe_seeds(encoder, train, dev, epochs=config.epochs, seeds=config.seeds)
    log.info("%s: micro F1 %.4f", name, result["probe"]["f1"])
    return result


def _untrained(config: PretrainConfig, prepared: Prepared, folder: Path) -> Path:
    """Write an encoder of random weights, with skip-gram vectors where the start is warm."""
    set_seed(config.seed)
    encoder = fresh_encoder(config.encoder, prepared.tokenizer)
    if config.warm_start and prepared.vectors is not None:
        set_vectors(encoder, prepared.vectors)
    encoder.save_pretrained(folder)
    prepared.tokenizer.save_pretrained(folder)
    return folder


def _earlier(output: Path, shared: dict[str, Any]) -> dict[str, Any]:
    """Return earlier results if they are of the same configuration."""
    try:
        content = json.loads(output.read_text(encoding="utf-8"))
        known, _ = content["config"], content["variants"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"not a result of a comparison ({error})", path=output) from error
    if known != json.loads(json.dumps(shared)):
        differing = sorted(k for k in shared if known.get(k) != shared[k])
        raise ConfigError(
            f"{output} holds results of another configuration ({', '.join(differing)}); accepted: another file "
            "with -o, or the same configuration"
        )
    return content


def table(content: dict[str, Any]) -> str:
    """Return the results as lines of text, the best variant first."""
    lines = [f"{'variant':14} {'tokens':>12} {'loss':>7} {'F1':>6}  spread"]
    for name, found in sorted(content["variants"].items(), key=lambda v: -v[1]["probe"]["f1"]):
        curve = found.get("loss_history") or []
        loss = f"{float(curve[-1]['loss']):.2f}" if curve else "-"
        spread = found["probe"]["spread"]
        shown = f"{100 * spread:.1f}" if spread is not None else "-"
        lines.append(f"{name:14} {found['tokens']:12,} {loss:>7} {100 * found['probe']['f1']:6.1f}  {shown}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the comparison named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.training.pretrain.compare", description=__doc__)
    parser.add_argument("config", help="configs/pretrain/compare.yaml or one like it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the results")
    parser.add_argument("--work", type=Path, default=Path("runs/compare"), help="working folder")
    options = parser.parse_args(arguments)
    quiet()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        content = compare(load_config(options.config, CompareConfig), options.output, options.work)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(content))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
