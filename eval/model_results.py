"""`python -m isnad.eval.model_results MODEL -o FILE` measures a model on development data and stores everything.

Stored are the evaluation with its intervals (laid out as leave-one-out results are, see `stored`), the scores
of each set of documents, calibration in-sample and cross-fitted, and what the model card needs to know that the
result belongs to the model at hand.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..model.document import Document
from ..model.errors import IsnadError
from ..model.schema import LabelSchema
from ..model.store import resolve
from ..training.examples import Unreachable
from ..training.model_facts import ModelFacts, fingerprints, read_json
from .bootstrap import PrfIntervals, bootstrap
from .calibration import judge_relations, judge_spans
from .calibration_scores import measure_calibration
from .counts import Counts
from .evaluate import evaluate
from .evaluation import Evaluation
from .given_entities import GivenEntityExtractor
from .stored import save_result

DEVELOPMENT = "seeds:authored/dev"


def measure_model(model: str | Path, output: Path, *, data: str = DEVELOPMENT, folds: int = 5) -> Evaluation:
    """Measure a model and write the result file.

    Args:
        model: a folder, or the name of an embedded model.
        output: the .json file, replaced as a whole.
        data: gold documents as `load_source` takes them: those on which calibration and thresholds were fitted.
        folds: of the cross-fitted calibration.

    Returns:
        The evaluation that was stored.
    """
    import torch
    from transformers import AutoTokenizer

    from ..model.backends.torch_backend import TorchBackend
    from ..model.modeling import IsnadModel
    from ..training.calibration_check import FLOOR, Remembering, cross_fitted, predict
    from ..training.data.sources import load_source

    folder = resolve(model)
    loaded = IsnadModel.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    schema = loaded.schema
    gold = load_source(data, schema)
    backend = Remembering(TorchBackend(loaded, tokenizer.pad_token_id or 0))
    own = predict(backend, loaded.config, tokenizer, gold)
    crossed = cross_fitted(backend, loaded.config, tokenizer, gold, folds=folds)
    lost = Unreachable()
    shown = GivenEntityExtractor(loaded, tokenizer).pipe(gold, unreachable=lost)
    given = list(shown) if any(d.relations for d in gold) else None
    evaluation = evaluate(gold, own.returned, schema, given=given)
    calibration = {
        "folds": folds,
        "floor": FLOOR,
        "in_sample": calibration_of(gold, vars(own), schema),
        "cross_fitted": calibration_of(gold, vars(crossed), schema),
        "cross_fitted_scores": headline(evaluate(gold, crossed.returned, schema)),
    }
    metrics = read_json(folder / "metrics.json")
    save_result(
        output,
        evaluation,
        system=ModelFacts.read(folder).name,
        data=data,
        documents=gold,
        command=command(model, output, data=data, folds=folds),
        seed=int(metrics.get("seed", 0)),
        details=model_details(folder)
        | {"sets": sets(evaluation), "calibration": calibration, "not_given": asdict(lost)},
    )
    return evaluation


def calibration_of(
    gold: Sequence[Document], predicted: Mapping[str, Sequence[Document]], schema: LabelSchema
) -> dict[str, dict[str, Any]]:
    """Return the calibration of spans and of relations in each view of the predictions, as plain data.

    Args:
        gold: annotated documents.
        predicted: `returned` (at the model's thresholds) and `candidates` (at a low floor), each in the order
            of gold.
        schema: the labels.
    """
    return {
        kind: {view: measure_calibration(judge(documents)).to_dict() for view, documents in predicted.items()}
        for kind, judge in (
            ("spans", lambda documents: judge_spans(gold, documents)),
            ("relations", lambda documents: judge_relations(gold, documents, schema)),
        )
    }


def sets(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Return the headline scores of each set of documents, whose ids begin alike (`alaqat-003`: `alaqat`).

    The set `alaqat` is made of hard negatives (relations denied, planned or only implied, see seeds/README.md):
    there the precision of relations says how often the model falls for them.
    """
    from ..training.data.split import set_of

    names = sorted({set_of(d.id) or d.id for d in evaluation.documents})
    parts = {
        name: replace(
            evaluation, documents=tuple(d for d in evaluation.documents if (set_of(d.id) or d.id) == name)
        )
        for name in names
    }
    return {name: {"documents": len(part.documents)} | headline(part) for name, part in parts.items()}


def headline(evaluation: Evaluation) -> dict[str, Any]:
    """Return the micro scores of spans and of strict relations with counts and intervals."""
    spread = bootstrap(evaluation)
    return {
        "spans": _scored(evaluation.entities.micro, spread.entities.micro),
        "relations": _scored(evaluation.relations["strict"].micro, spread.relations["strict"].micro),
    }


def model_details(folder: Path) -> dict[str, Any]:
    """Return what identifies a model and how large it is."""
    facts = ModelFacts.read(folder)
    files = fingerprints(folder)
    return {
        "model": facts.name,
        "files": files,
        "bytes": {name: (folder / name).stat().st_size for name in files},
        "parameters": facts.parameters,
        "precisions": list(facts.precisions),
    }


def command(model: str | Path, output: Path, *, data: str, folds: int) -> str:
    """Return what to type to make the result again."""
    parts = ["python", "-m", "isnad.eval.model_results", str(model), "-o", str(output)]
    parts += ["--data", data] if data != DEVELOPMENT else []
    return shlex.join(parts + (["--folds", str(folds)] if folds != 5 else []))


def _scored(counts: Counts, spread: PrfIntervals) -> dict[str, Any]:
    return {
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "intervals": asdict(spread),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure the model named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.eval.model_results", description=__doc__)
    parser.add_argument("model", help="a model folder, or the name of an embedded model")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .json file to write")
    parser.add_argument("--data", default=DEVELOPMENT, help="gold documents (default: %(default)s)")
    parser.add_argument("--folds", type=int, default=5, help="of the calibration (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        evaluation = measure_model(options.model, options.output, data=options.data, folds=options.folds)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from .report import to_text

    print(to_text(evaluation, f"{options.model} on {options.data}"), end="")
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
