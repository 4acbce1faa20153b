"""The result tables of README.md and of the tutorial, rendered from the stored results in `eval/results/`.

`python -m isnad.eval.tables` rewrites the text between the markers; a test compares README and results.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..model.errors import DataError
from .benchmark.stored_tables import render_benchmark
from .bootstrap import Interval, PrfIntervals, bootstrap
from .counts import Counts
from .evaluation import Evaluation
from .report import markdown_table, percent
from .stored import load_result
from .tables_speed import (
    render_cores,
    render_costs,
    render_engines,
    render_exports,
    render_long,
    render_speed,
)
from .tables_training import render_ablation, render_new_labels, render_pretraining

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "eval" / "results"
README = ROOT / "README.md"
# Columns of the tables: stored result and heading; the first one is the model that isnad ships.
SYSTEMS = (("joint", "joint model"), ("flat", "flat token classifier"), ("crf", "CRF"))

# Stored results of `eval.word_level` and their headings.
WORD_LEVEL = (
    ("anercorp_dev", "fine-tuned on it"),
    ("anercorp_dev_mapped", "`isnad-small`, labels mapped"),
)


def render(results: Path = RESULTS) -> str:
    """Return the leave-one-article-out section as Markdown."""
    loaded = {key: load_result(results / f"leave_one_out_{key}.json") for key, _ in SYSTEMS}
    content, joint = loaded["joint"]
    columns = [(heading, loaded[key][1]) for key, heading in SYSTEMS]
    commands = "\n".join(str(loaded[key][0]["command"]) for key, _ in SYSTEMS)
    seeds = ", ".join(str(loaded[key][0]["seed"]) for key, _ in SYSTEMS)
    return "\n\n".join(
        [
            "Entities: strict span F1 in per cent (exact characters, proclitics outside, nested) with 95% bootstrap "
            "intervals over the articles.",
            _entities(columns),
            "Relations of the joint model, end to end (both spans, both types, direction and label must be right). "
            "The baselines find none.",
            _relations(joint),
            _others(columns),
            f"Seeds {seeds}; revision {content['revision']}, {content['made']}; data {content['data_hash']}. Made by",
            f"```sh\n{commands}\n```",
        ]
    )


def render_word_level(results: Path = RESULTS) -> str:
    """Return the section on word-level, flat corpora as Markdown; columns are the stored results of `WORD_LEVEL`."""
    loaded = [
        (heading, json.loads((results / f"{key}.json").read_text(encoding="utf-8")))
        for key, heading in WORD_LEVEL
    ]
    rows = [["tag", "gold", *(heading for heading, _ in loaded)]]
    for tag, (tp, _, fn) in loaded[0][1]["scores"]["labels"].items():
        rows.append([tag, str(tp + fn), *(_stored_f1(result, tag) for _, result in loaded)])
    rows.append(["**micro**", "", *(_stored_f1(result) for _, result in loaded)])
    commands = "\n".join(result["command"] for _, result in loaded)
    return "\n\n".join([markdown_table(rows), f"```sh\n{commands}\n```"])


def _stored_f1(result: Mapping[str, Any], tag: str | None = None) -> str:
    spread = result["scores"]["intervals"]
    if tag is None:
        return percent(result["scores"]["micro"]["f1"], Interval(**spread["micro"]["f1"]))
    counts = Counts.from_list(result["scores"]["labels"][tag])
    if tag in result["unmapped"]:
        return "no such label"
    return percent(counts.f1, Interval(**spread["labels"][tag]["f1"]))


def update(text: str, section: str, *, name: str = "leave-one-out") -> str:
    """Return `text` with the part between the markers of `name` replaced by `section`."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise DataError(
            f"the markers of {name} are not there once each", path=README, accepted=f"{begin} … {end}"
        )
    head, rest = text.split(begin)
    return f"{head}{begin}\n{section}\n{end}{rest.split(end)[1]}"


def _entities(columns: Sequence[tuple[str, Evaluation]]) -> str:
    spreads = [bootstrap(evaluation).entities for _, evaluation in columns]
    tables = [evaluation.entities for _, evaluation in columns]
    rows = [["label", "gold", *(heading for heading, _ in columns)]]
    for label, counts in tables[0].items():
        if not counts.support:
            continue
        cells = [_f1(t.get(label), s.labels.get(label)) for t, s in zip(tables, spreads, strict=True)]
        rows.append([label, str(counts.support), *cells])
    micro = [percent(t.micro.f1, s.micro.f1) for t, s in zip(tables, spreads, strict=True)]
    macro = [percent(t.macro.f1, s.macro.f1) for t, s in zip(tables, spreads, strict=True)]
    rows.append(["**micro**", str(tables[0].micro.support), *micro])
    rows.append(["**macro**", "", *macro])
    return markdown_table(rows)


def _relations(evaluation: Evaluation) -> str:
    table, spread = evaluation.relations["strict"], bootstrap(evaluation).relations["strict"]
    rows = [["relation", "gold", "precision", "recall", "F1"]]
    for label, counts in table.items():
        if counts.support:
            rows.append([label, str(counts.support), *_prf(counts, spread.labels.get(label))])
    rows.append(["**micro**", str(table.micro.support), *_prf(table.micro, spread.micro)])
    boundary = evaluation.relations["boundary"].micro
    rows.append(["micro, boundaries only", str(boundary.support), *_prf(boundary, None)])
    return markdown_table(rows)


def _others(columns: Sequence[tuple[str, Evaluation]]) -> str:
    rows = [["", *(heading for heading, _ in columns)]]
    for kind, text in (
        ("attached", "proclitic taken off where there is one"),
        ("all", "proclitic decisions, all"),
    ):
        accuracies = [evaluation.proclitics[kind] for _, evaluation in columns]
        rows.append([text, *(f"{100 * a.accuracy:.1f}% of {a.total}" for a in accuracies)])
    joint = columns[0][1].coreference["with_singletons"]["b_cubed"]
    rows.append(["coreference B-cubed F1, predicted mentions", f"{100 * joint.f1:.1f}", "none", "none"])
    return markdown_table(rows)


def _prf(counts: Counts, spread: PrfIntervals | None) -> list[str]:
    return [
        f"{100 * counts.precision:.1f}",
        f"{100 * counts.recall:.1f}",
        percent(counts.f1, spread.f1 if spread else None),
    ]


def _f1(counts: Counts | None, spread: PrfIntervals | None) -> str:
    return percent(counts.f1 if counts else 0.0, spread.f1 if spread else None)


def sections(results: Path = RESULTS) -> dict[str, str]:
    """Return the text of every section of README.md that is made from stored results, by the name of its markers."""
    return {
        "leave-one-out": render(results),
        "word-level": render_word_level(results),
        "benchmark": render_benchmark(results / "benchmark", labels=False),
        "pretraining": render_pretraining(results),
        "ablation": render_ablation(results),
        "speed": render_speed(results),
        "cores": render_cores(results),
        "long": render_long(results),
        "exports": render_exports(results),
        "engines": render_engines(results),
        "costs": render_costs(results),
    }


def pages(results: Path = RESULTS) -> dict[Path, dict[str, str]]:
    """Return the sections of every page that shows stored results."""
    tutorial = {"new-labels": render_new_labels(results)}
    return {README: sections(results), ROOT / "training" / "TUTORIAL.md": tutorial}


def main() -> int:
    """Rewrite the pages from the stored results."""
    for path, made in pages().items():
        text = path.read_text(encoding="utf-8")
        for name, section in made.items():
            text = update(text, section, name=name)
        path.write_text(text, encoding="utf-8")
        print(f"rewrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
