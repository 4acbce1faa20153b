"""Stored results of a benchmark (see `store`) as Markdown tables, for README.md."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...model.errors import DataError
from ..bootstrap import Interval
from ..relations import GIVEN
from ..report import markdown_table, percent
from .report import markdown_cell as escaped
from .store import load_stored

Stored = Mapping[str, Any]


def render_benchmark(target: Path, *, labels: bool = True) -> str:
    """Return the stored results of a folder as Markdown: one table of all data, then one a data set, by label.

    Args:
        target: folder that `store_results` wrote.
        labels: whether to add the tables by label.

    Raises:
        DataError: no results there, or faulty ones.
    """
    found = load_stored(target)
    if not found:
        raise DataError("no stored results", path=target, accepted="a folder of isnad benchmark --store")
    by_data: dict[str, dict[str, Stored]] = {}
    for result in found:
        by_data.setdefault(result["data"], {})[result["model"]] = result
    models = list(dict.fromkeys(r["model"] for r in found))
    parts = [
        "Span F1 in per cent, strict: label and both offsets must be right; in brackets 95% bootstrap intervals over "
        f"documents. Δ: difference from {_baselines(found)}, with p of paired approximate randomisation.",
        _overview(by_data, models),
    ]
    related = {d: r for d, r in by_data.items() if any(_relations(x) for x in r.values())}
    if related:
        parts += ["Relations, F1 end to end: both spans, both types, direction and label must be right."]
        parts += [_by_model(related, models, _relation_f1)]
    shown = {d: r for d, r in related.items() if any(map(_given_f1, r.values()))}
    if shown:
        parts += ["Relations, F1 with gold entities, of models that can be shown them:"]
        parts += [_by_model(shown, models, lambda result: _given_f1(result) or "–")]
    for data, results in by_data.items() if labels else ():
        parts += [
            f"Span F1 by label on `{data}` ({_compared(next(iter(results.values())))}):",
            _labels(results, models),
        ]
    return "\n\n".join([*parts, _made(found)])


def _by_model(
    by_data: Mapping[str, Mapping[str, Stored]], models: Sequence[str], show: Callable[[Stored], str]
) -> str:
    rows = [[data, *(_cell(results.get(m), show) for m in models)] for data, results in by_data.items()]
    return _table(["data", *models], rows)


def _overview(by_data: Mapping[str, Mapping[str, Stored]], models: Sequence[str]) -> str:
    heads = ["data", "documents", "names", *models]
    rows = []
    for data, results in by_data.items():
        first = next(iter(results.values()))["summary"]
        sizes = [f"{first['documents']:,}", f"{first['entities']['micro']['support']:,}"]
        rows.append([data, *sizes, *(_cell(results.get(m), _span_f1) for m in models)])
        changes = [_cell(results.get(m), _change) for m in models]
        if any(changes):
            rows.append(["Δ", "", "", *changes])
    return _table(heads, rows)


def _labels(results: Mapping[str, Stored], models: Sequence[str]) -> str:
    tables = {m: r["summary"]["entities"]["labels"] for m, r in results.items()}
    gold: dict[str, int] = {}
    for table in tables.values():
        gold |= {label: counts["support"] for label, counts in table.items() if counts["support"]}
    rows = []
    for label, n in gold.items():
        cells = [_label_f1(results[m], label) if m in results else "" for m in models]
        rows.append([label, f"{n:,}", *cells])
    return _table(["label", "gold", *models], rows)


def _cell(result: Stored | None, show: Callable[[Stored], str]) -> str:
    return show(result) if result is not None else ""


def _span_f1(result: Stored) -> str:
    return _score(
        result["summary"]["entities"]["micro"]["f1"], result["intervals"]["entities"]["micro"]["f1"]
    )


def _label_f1(result: Stored, label: str) -> str:
    counts = result["summary"]["entities"]["labels"].get(label)
    if counts is None:
        return _score(0.0, None)
    return _score(counts["f1"], result["intervals"]["entities"]["labels"].get(label, {}).get("f1"))


def _relations(result: Stored) -> int:
    """Return the number of gold relations."""
    return int(result["summary"]["relations"]["strict"]["micro"]["support"])


def _relation_f1(result: Stored, view: str = "strict") -> str:
    f1 = result["summary"]["relations"][view]["micro"]["f1"]
    return _score(f1, result["intervals"]["relations"][view]["micro"]["f1"]) if _relations(result) else ""


def _given_f1(result: Stored) -> str:
    """Return relation F1 with gold entities; empty for a model that was not shown them."""
    return _relation_f1(result, GIVEN) if GIVEN in result["summary"]["relations"] else ""


def _change(result: Stored) -> str:
    """Return the difference of span F1 from the baseline of the run."""
    found = (result.get("versus_baseline") or {}).get("entity")
    if not found:
        return ""
    p = "< 0.001" if found["p_value"] < 0.001 else f"= {found['p_value']:.3f}"
    return f"{100 * found['difference']:+.1f} (p {p})"


def _baselines(found: Sequence[Stored]) -> str:
    """Return the baselines of the runs, which is one unless files of different runs were put together."""
    return " or ".join(dict.fromkeys(escaped(str(r["run"]["baseline"])) for r in found))


def _compared(result: Stored) -> str:
    spans = "character spans" if result["convention"] == "char" else "whole words"
    return f"{spans}, {'outermost names only' if result['flat'] else 'nested'}"


def _made(found: Sequence[Stored]) -> str:
    runs = [r["run"] for r in found]
    facts = dict.fromkeys(
        f"revision {r.get('revision', 'unknown')}, {str(r.get('made', ''))[:10]}" for r in runs
    )
    commands = dict.fromkeys(r["command"] for r in runs if r.get("command"))
    made = f"Made by isnad {'; '.join(facts)}."
    return f"{made}\n\n```sh\n" + "\n".join(commands) + "\n```" if commands else made


def _score(value: float, interval: Mapping[str, float] | None) -> str:
    return percent(value, Interval(interval["low"], interval["high"]) if interval else None)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table([[escaped(h) for h in heads], *([escaped(row[0]), *row[1:]] for row in rows)])
