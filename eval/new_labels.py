"""What trainings with new labels have reached: `python -m isnad.eval.new_labels RUN... --test DATA -o result.json`.

A run is the output folder of `isnad train --base`. The new labels are measured on texts that no run has seen or
chosen anything on; what became of the old labels is taken from the run's own `forgetting.json`.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..model.document import Document
from ..model.errors import DataError, IsnadError
from ..model.inference import Extractor
from ..training.compute import machine, versions
from ..training.data.files import write_text
from ..training.data.sources import load_sources
from ..training.extend import RECORD
from ..training.extend_data import restrict
from .bootstrap import Interval
from .forgetting import new_scores
from .report import bracketed, markdown_table, percent
from .stored import data_hash, revision

FORGETTING = "forgetting.json"


def measure_runs(runs: Sequence[Path], test: Sequence[str]) -> dict[str, Any]:
    """Return the scores of every run on the test data, and the change of its old labels.

    Args:
        runs: output folders of `isnad train --base`.
        test: sources that annotate the new labels wherever they occur.

    Raises:
        DataError: a folder that holds no such run, or faulty test data.
    """
    rows = []
    gold: list[Document] = []
    for run in runs:
        record, forgetting = (_read(path) for path in (run / "model" / RECORD, run / FORGETTING))
        metrics = _read(run / "model" / "metrics.json")
        extractor = Extractor.from_pretrained(run / "model")
        labels = frozenset(record["annotates"])
        gold = [restrict(d, labels) for d in load_sources(test, extractor.schema)]
        predicted = [restrict(d, labels) for d in extractor.pipe((d.id, d.text) for d in gold)]
        rows.append(
            {
                "run": run.name,
                "base": record["base"],
                "examples": record["examples"],
                "seconds": metrics["seconds"],
                "new": {
                    name: asdict(new) for name, new in new_scores(gold, predicted, extractor.schema).items()
                },
                "old": {key: _change(forgetting[key]) for key in ("spans", "relations")},
                "lost": forgetting["lost"],
            }
        )
    return {
        "test": list(test),
        "test_documents": len(gold),
        "data_hash": data_hash(gold),
        "revision": revision(),
        "machine": machine(),
        "versions": versions(),
        "runs": rows,
    }


def _change(label: Mapping[str, Any]) -> dict[str, Any]:
    change = label["change"]
    return {
        "before": change["a"],
        "after": change["b"],
        "difference": change["difference"],
        "interval": change["interval"],
        "p_value": change["p_value"],
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot be read ({error})", path=path, accepted="output folders of isnad train --base"
        ) from error


def render(content: Mapping[str, Any]) -> str:
    """Return a stored result as Markdown: a row a run, F1 in per cent."""
    labels = list(content["runs"][0]["new"])
    head = ["run", *(f"{label} F1" for label in labels), "old entities", "old relations", "old labels lost"]
    rows = [head]
    for run in content["runs"]:
        cells = [_score(run["new"][label]) for label in labels]
        cells += [_changed(run["old"][kind]) for kind in ("spans", "relations")]
        rows.append([run["run"], *cells, ", ".join(run["lost"]) or "none"])
    return f"{markdown_table(rows)}\n\n```sh\n{content['command']}\n```"


def _score(label: Mapping[str, Any]) -> str:
    return percent(label["f1"], _interval(label))


def _changed(kind: Mapping[str, Any]) -> str:
    interval = _interval(kind)
    change = f"{percent(kind['before'])} → {percent(kind['after'])}"
    return f"{change} {bracketed(interval, signed=True)}" if interval else change


def _interval(stored: Mapping[str, Any]) -> Interval | None:
    return Interval(**stored["interval"]) if stored["interval"] else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the runs named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.eval.new_labels", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="output folders of isnad train --base")
    parser.add_argument("--test", action="append", required=True, help="annotated texts; repeatable")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(arguments)
    try:
        content = measure_runs(options.runs, options.test)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    typed = [
        *map(str, options.runs),
        *(w for t in options.test for w in ("--test", t)),
        "-o",
        str(options.output),
    ]
    content = {"command": shlex.join(["python", "-m", "isnad.eval.new_labels", *typed])} | content
    write_text(options.output, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    print(render(content))
    return 0


if __name__ == "__main__":
    sys.exit(main())
