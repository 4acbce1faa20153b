"""`isnad compare`: what is better or worse in one model than in another."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from ..model.render.table import Cell
from .options import ListFormat
from .support import console, say

if TYPE_CHECKING:
    from ..eval.benchmark.compare import Change, ModelComparison

REGRESSION = 1
_STYLES = {"better": "green", "worse": "bold red"}


def compare_versions(
    a: str,
    b: str,
    *,
    data: str | None = None,
    registry: Path | None = None,
    alpha: float = 0.05,
    fail_on_regression: bool = False,
    format: ListFormat = ListFormat.TABLE,
) -> None:
    """Print every F1 of model b beside that of model a; exit with 1 if asked to and something got worse."""
    from ..eval.benchmark.compare import compare_models
    from ..eval.benchmark.registry import Registry

    found = compare_models(Registry(registry), a, b, data=data, alpha=alpha)
    if format is ListFormat.JSON:
        print(json.dumps([c.to_dict() for c in found], ensure_ascii=False, indent=2))
    else:
        for comparison in found:
            _print(comparison)
    worse = [f"{c.label} on {x.b.data}" for x in found for c in x.regressions]
    if worse:
        say(f"significantly worse: {', '.join(worse)}")
    if worse and fail_on_regression:
        raise typer.Exit(REGRESSION)


def _print(found: "ModelComparison") -> None:
    a, b, screen = found.a, found.b, console()
    layers = "outermost" if b.flat else "nested"
    spans = "characters" if b.convention == "char" else "whole words"
    screen.print(
        Text.assemble(
            (f"{b.model} ({b.model_hash[:6]})", "bold"),
            " against ",
            (f"{a.model} ({a.model_hash[:6]})", "bold"),
            f" on {b.data}: {found.comparison.documents} documents, {spans}, {layers}",
        ),
        soft_wrap=True,
    )
    table = Table(header_style="bold")
    table.add_column("F1", no_wrap=True)
    for head in ("gold", "A", "B", "B - A", "95% interval", "p", "p (Holm)"):
        table.add_column(head, justify="right", overflow="fold")
    table.add_column("B is", overflow="fold")
    for n, change in enumerate(found.changes):
        total = change.label.startswith("all ")
        last = n + 1 == len(found.changes) or found.changes[n + 1].label.startswith("all ")
        table.add_row(*_row(change), style="bold" if total else "", end_section=total or last)
    screen.print(table)
    tried = "all exchanges" if found.comparison.exact else f"{found.comparison.rounds} exchanges"
    screen.print(
        Text(
            f"p: paired approximate randomisation over documents ({tried}), corrected over the labels by Holm; "
            f"significant below {found.alpha:g}",
            "dim",
        )
    )
    least = 2 / 2**found.comparison.documents
    if least >= found.alpha:
        text = f"{found.comparison.documents} documents cannot show a difference at {found.alpha:g}: the least p is"
        screen.print(Text(f"{text} {least:g}", "dim"))


def _row(change: "Change") -> list[Cell | Text | str]:
    d = change.difference
    spread = f"{100 * d.interval.low:+.1f} … {100 * d.interval.high:+.1f}" if d.interval else ""
    verdict = change.verdict if change.verdict in _STYLES else ""
    return [
        Cell(change.label),
        str(d.support),
        f"{100 * d.a:.1f}",
        f"{100 * d.b:.1f}",
        f"{100 * d.difference:+.1f}",
        spread,
        f"{d.p_value:.3f}",
        f"{d.p_adjusted:.3f}",
        Text(verdict, _STYLES.get(verdict, "")),
    ]
