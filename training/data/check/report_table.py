"""The report of a check for the screen."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ....model.render.characters import one_line
from ....model.render.table import Cell, isolated
from .findings import Finding, Report, Severity
from .kinds import KINDS
from .part import DEV, TRAIN

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
# Code points of a quoted place and of the words around it in a cell.
_QUOTED, _AROUND = 60, 24


def render(report: Report, *, shown: int = 10) -> Iterator[RenderableType]:
    """Yield what a rich console prints: the sizes, the labels, then the findings kind by kind.

    Args:
        report: of a check.
        shown: findings of each kind that are printed; the rest is counted.
    """
    yield Text(f"schema {report.schema}", "dim")
    yield _totals(report)
    yield _labels(report)
    for drift in report.drift:
        yield Text(drift.meaning, "dim")
    for kind, findings in report.by_kind().items():
        yield Text()
        yield Text.assemble((KINDS[kind].title, "bold"), (f"  {len(findings):,}", "dim"))
        yield Text(KINDS[kind].about, "dim")
        yield _findings(findings[:shown])
        if len(findings) > shown:
            yield Text(f"… and {len(findings) - shown:,} more: --show, or --format json or html", "dim")
    yield Text()
    for remark in report.remarks:
        yield Text(one_line(remark), "dim")
    yield verdict(report)


def verdict(report: Report) -> Text:
    """Return the last line: how many errors, warnings and notes."""
    parts: list[tuple[str, str] | str] = []
    for severity, n in report.counts().items():
        style = _STYLES[Severity(severity)] if n else "dim"
        parts += [(f"{n:,} {severity}{'' if n == 1 else 's'}", style), ", "]
    return Text.assemble(*parts[:-1])


def _totals(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for split, source in report.sources.items():
        table.add_column(Cell(f"{split}: {source}"), justify="right", overflow="fold")
    for what in next(iter(report.totals.values()), {}):
        table.add_row(what, *(f"{report.totals[split][what]:,}" for split in report.sources))
    return table


def _labels(report: Report) -> Table:
    """Return how often each label occurs; labels that occur nowhere are left to the findings."""
    table = Table(header_style="dim", title="labels", title_justify="left", title_style="bold")
    table.add_column("label", no_wrap=True)
    for split in report.sources:
        table.add_column(split, justify="right")
        table.add_column("names", justify="right", style="dim")
    kind = "entity"
    for row in report.labels:
        if not any(row.counts.values()):
            continue
        if row.kind != kind:
            table.add_section()
            kind = row.kind
        cells = [
            cell
            for split in report.sources
            for cell in (f"{row.counts[split]:,}", f"{row.names[split]:,}" if row.names else "")
        ]
        table.add_row(Cell(row.label, "cyan" if kind == "entity" else "magenta"), *cells)
    return table


def _findings(findings: list[Finding]) -> Table:
    placed = any(f.document for f in findings)
    suggested = any(f.suggestion for f in findings)
    table = Table(header_style="dim", expand=False)
    table.add_column("", no_wrap=True)
    if placed:
        table.add_column("place", overflow="fold", max_width=24)
        table.add_column("text", overflow="fold", max_width=40)
    table.add_column("found", overflow="fold", min_width=24)
    if suggested:
        table.add_column("write", overflow="fold", min_width=12)
    for f in findings:
        place = f.document + (f" {f.start}" if f.start >= 0 else "")
        shown: list[Cell | Text] = []
        if placed:
            shown = [Cell(f"{place} ({f.split})" if f.split == DEV else place, "dim"), _quoted(f)]
        table.add_row(
            Text(f.severity.value, _STYLES[f.severity]),
            *shown,
            Cell(f.message if placed or f.split in {"", TRAIN} else f"{f.split}: {f.message}"),
            *([Cell(f.suggestion)] if suggested else []),
        )
    return table


def _quoted(finding: Finding) -> Text:
    """Return the place in its line, emphasised."""
    quoted = one_line(finding.text)
    if len(quoted) > _QUOTED:
        quoted = quoted[: _QUOTED - 1] + "…"
    # A blank at the edge of a span would not be seen.
    stripped = finding.text.strip()
    if stripped != finding.text:
        head, _, tail = finding.text.partition(stripped) if stripped else (finding.text, "", "")
        quoted = "␣" * len(head) + quoted + "␣" * len(tail)
    before, after = one_line(finding.before[-_AROUND:]), one_line(finding.after[:_AROUND])
    # Blanks at the edges are folded by `one_line`; those of the text itself belong here.
    before += " " * finding.before[-1:].isspace()
    after = " " * finding.after[:1].isspace() + after
    return isolated(Text.assemble((before, "dim"), (quoted, "bold underline"), (after, "dim")))
