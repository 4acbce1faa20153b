"""What single changes of a fine-tuning give: `python -m isnad.eval.ablation CONFIG -o result.json [--work FOLDER]`.

Every change is trained like the base and set against the base of the same seed on the same development documents;
the spread of the base over seeds says how much of a difference is chance. Averages of runs and weights rounded
to bfloat16 are measured beside them.
"""

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..model.document import Document
from ..model.errors import ConfigError, DataError, IsnadError
from ..model.inference import Extractor
from ..training.compute import machine, versions
from ..training.config import FinetuneConfig, load_config, override
from ..training.data.corpora import load_corpus
from ..training.data.files import write_text
from ..training.data.sources import find_config, load_corpora, load_schema, load_split
from .bootstrap import Interval
from .evaluate import evaluate
from .evaluation import Evaluation
from .model_results import headline
from .report import percent
from .scores import development_scores
from .significance import Difference, compare
from .stored import data_hash, revision
from .word_level import score_corpus, tags_of

log = logging.getLogger(__name__)

BASE = "base"


@dataclass(frozen=True)
class AblationConfig:
    """An ablation; every field is a key of the YAML file.

    Attributes:
        base: path or name of a fine-tuning configuration.
        settings: keys of the base's configuration that all runs set anew, such as `epochs`.
        seeds: of the base.
        variants: what each changes, keys of the base's configuration, dotted if nested; `{work}` in a text is
            the working folder, where `{work}/base-1/model` is the base of seed 1.
        variant_seeds: of the variants.
        averages: names of runs (`base-1`) whose weights are averaged, by the name of the average.
        rounded: runs whose weights are rounded to bfloat16, by the name of the result.
        corpora: flat corpora and parts to measure on too, `anercorp/dev`, labels mapped.
    """

    base: str = "authored"
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    variant_seeds: list[int] = field(default_factory=lambda: [1])
    averages: dict[str, list[str]] = field(default_factory=dict)
    rounded: dict[str, str] = field(default_factory=dict)
    corpora: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        runs = self.runs()
        if not self.seeds or not set(self.variant_seeds) <= set(self.seeds):
            raise ConfigError(
                f"seeds {self.seeds} and variant_seeds {self.variant_seeds}; accepted: some seeds, the variants' "
                "among them, so that every run has a base of its own seed"
            )
        for name in [run for names in self.averages.values() for run in names] + list(self.rounded.values()):
            if name not in runs:
                raise ConfigError(f"no run is named {name!r}; accepted: {', '.join(runs)}")

    def runs(self) -> dict[str, tuple[dict[str, Any], int]]:
        """Return changes and seed of every training, by the name of its folder."""
        wanted = [(BASE, {}, self.seeds), *((n, c, self.variant_seeds) for n, c in self.variants.items())]
        return {f"{name}-{seed}": (changes, seed) for name, changes, seeds in wanted for seed in seeds}


def ablate(config: AblationConfig, output: Path, work: Path) -> dict[str, Any]:
    """Train and measure what is missing, and write the results after each step.

    Args:
        config: the ablation.
        output: JSON file of the results; runs that it holds are not measured again.
        work: a folder for each run; a training that was cut off goes on.

    Raises:
        ConfigError: `output` holds results of another configuration.
    """
    content = _earlier(output, config)
    base = load_config(find_config(config.base, "finetune"), FinetuneConfig)
    base = override(base, config.settings, where="settings")
    schema = load_schema(base.data.schema)
    _, dev = load_split(base.data.train, base.data.dev, schema)
    content |= {"data": list(base.data.dev), "data_hash": data_hash(dev)}
    evaluations: dict[str, Evaluation] = {}

    def measure(name: str, folder: Path, facts: Mapping[str, Any], against: str | None) -> None:
        if name in content["runs"]:
            return
        extractor = Extractor.from_pretrained(folder)
        evaluations[name] = _evaluate(extractor, dev)
        result = {**facts, **headline(evaluations[name])} | _others(evaluations[name])
        result["corpora"] = {corpus: _on_corpus(extractor, corpus) for corpus in config.corpora}
        if against:
            if against not in evaluations:
                evaluations[against] = _evaluate(Extractor.from_pretrained(work / against / "model"), dev)
            result |= {"against": against, "difference": _difference(evaluations[against], evaluations[name])}
        content["runs"][name] = result
        _write(output, content)

    for name, (changes, seed) in config.runs().items():
        changes = _placed(changes, work)
        folder = _train(override(base, {**changes, "seed": seed}, where=name), work / name)
        record = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        facts = {"changes": _shown(changes, work), "seed": seed, "seconds": record["seconds"]}
        measure(name, folder, facts, None if name.startswith(f"{BASE}-") else f"{BASE}-{seed}")
    for name, members in config.averages.items():
        folder = _average([work / run / "model" for run in members], work / name)
        measure(name, folder, {"average": members}, members[0])
    for name, run in config.rounded.items():
        folder = _round(work / run / "model", work / name)
        measure(name, folder, {"rounded": run}, run)
    content["base"] = _spread([content["runs"][f"{BASE}-{seed}"] for seed in config.seeds])
    _write(output, content)
    return content


def _train(config: FinetuneConfig, output: Path) -> Path:
    """Train what is not there yet and return the folder of the model."""
    from ..training.finetune import finetune

    folder = output / "model"
    if (folder / "training.yaml").is_file():
        if load_config(folder / "training.yaml", FinetuneConfig) != config:
            raise ConfigError(f"{folder} was trained otherwise; accepted: another folder with --work")
        return folder
    log.info("training %s", output.name)
    schema = load_schema(config.data.schema)
    train, dev = load_split(config.data.train, config.data.dev, schema)
    corpora = load_corpora(config.data.corpora, schema, dev)
    score = development_scores(schema)
    return finetune(config, schema, train, dev, output, score=score, corpora=corpora, resume=True).folder


def _average(folders: Sequence[Path], output: Path) -> Path:
    from ..training.average import average, schema_of

    if not (output / "model").is_dir():
        average(folders, output, score=development_scores(schema_of(folders[0])))
    return output / "model"


def _round(source: Path, output: Path) -> Path:
    """Write the model with its weights in bfloat16, as embedded models are stored."""
    import torch
    from transformers import AutoTokenizer

    from ..model.modeling import IsnadModel
    from ..training.finetune import save_model

    if not (output / "model").is_dir():
        model = IsnadModel.from_pretrained(source, local_files_only=True, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
        config = load_config(source / "training.yaml", FinetuneConfig)
        metrics = json.loads((source / "metrics.json").read_text(encoding="utf-8"))
        save_model(model, tokenizer, config, output / "model", metrics, dtype=torch.bfloat16)
    return output / "model"


def _evaluate(extractor: Extractor, dev: Sequence[Document]) -> Evaluation:
    return evaluate(dev, list(extractor.pipe((d.id, d.text) for d in dev)), extractor.schema)


def _others(evaluation: Evaluation) -> dict[str, Any]:
    b_cubed = evaluation.coreference["with_singletons"]["b_cubed"]
    return {"proclitics": evaluation.proclitics["all"].accuracy, "b_cubed": b_cubed.f1}


def _on_corpus(extractor: Extractor, name: str) -> float:
    corpus_name, _, part = name.partition("/")
    corpus = load_corpus(corpus_name, part or "dev")
    return score_corpus(extractor, corpus, tags_of(corpus, extractor.schema.entity_labels)).labels.micro.f1


def _difference(a: Evaluation, b: Evaluation) -> dict[str, Any]:
    found = compare(a, b)

    def row(difference: Difference) -> dict[str, Any]:
        interval = difference.interval
        return {
            "f1": difference.difference,
            "interval": asdict(interval) if interval else None,
            "p_value": difference.p_value,
        }

    return {"spans": row(found.spans), "relations": row(found.relations)}


def _spread(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return mean and sample standard deviation of the base over its seeds."""
    kinds = {"spans": [r["spans"]["f1"] for r in runs], "relations": [r["relations"]["f1"] for r in runs]}
    kinds |= {corpus: [r["corpora"][corpus] for r in runs] for corpus in runs[0]["corpora"]}
    return {
        kind: {
            "mean": float(np.mean(values)),
            "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        }
        for kind, values in kinds.items()
    }


def _placed(changes: Mapping[str, Any], work: Path) -> dict[str, Any]:
    """Return the changes with `{work}` replaced by the working folder."""
    return json.loads(json.dumps(changes).replace("{work}", str(work)))


def _shown(changes: Mapping[str, Any], work: Path) -> dict[str, Any]:
    return json.loads(json.dumps(changes).replace(str(work), "{work}"))


def _earlier(output: Path, config: AblationConfig) -> dict[str, Any]:
    """Return the results so far; new runs may be added to a configuration, other changes need another file."""
    plain = json.loads(json.dumps(asdict(config)))
    fresh = {
        "config": plain,
        "machine": machine(),
        "versions": versions(),
        "revision": revision(),
        "runs": {},
    }
    if not output.is_file():
        return fresh
    try:
        content = json.loads(output.read_text(encoding="utf-8"))
        old, runs = content["config"], content["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"not a result of an ablation ({error})", path=output) from error
    known = config.runs()
    changed = [
        n for n in old["variants"] if n in config.variants and old["variants"][n] != config.variants[n]
    ]
    same = old["base"] == config.base and old.get("settings") == config.settings
    if not same or old["corpora"] != list(config.corpora) or changed:
        raise ConfigError(f"{output} holds results of another configuration; accepted: another file with -o")
    kept = {*known, *config.averages, *config.rounded}
    return content | {"config": plain, "runs": {n: r for n, r in runs.items() if n in kept}}


def _write(output: Path, content: Mapping[str, Any]) -> None:
    write_text(output, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def table(content: Mapping[str, Any]) -> str:
    """Return the results as lines of text: F1 in per cent, and the difference to the base of the same seed."""
    names = list(next(iter(content["runs"].values()))["corpora"])
    lines = [f"{'run':32} {'spans':>6} {'diff.':>18} {'relations':>9} {'diff.':>18}  {'  '.join(names)}"]
    for name, run in content["runs"].items():
        cells = [f"{name:32} "]
        for kind, width in (("spans", 6), ("relations", 9)):
            cells.append(
                f"{100 * run[kind]['f1']:{width}.1f} {difference_cell(run.get('difference', {}).get(kind)):>18} "
            )
        lines.append("".join(cells) + "  ".join(f"{100 * run['corpora'][c]:6.1f}" for c in names))
    return "\n".join(lines)


def difference_cell(difference: Mapping[str, Any] | None) -> str:
    """Return a stored difference with its interval in percent; nothing for a run that is compared with none."""
    if difference is None:
        return ""
    interval = difference["interval"]
    return percent(difference["f1"], Interval(**interval) if interval else None, signed=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ablation named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.eval.ablation", description=__doc__)
    parser.add_argument("config", type=Path, help="configs/ablation/authored.yaml or one like it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file of the results")
    parser.add_argument("--work", type=Path, default=Path("runs/ablate"), help="working folder")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        content = ablate(load_config(options.config, AblationConfig), options.output, options.work)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(content))
    return 0


if __name__ == "__main__":
    sys.exit(main())
