"""The report of a check as one HTML file that needs nothing else."""

from string import Template

from ....model.render.characters import has_rtl, one_line
from ....model.render.page import asset, esc, page, report_style
from .findings import Finding, LabelRow, Report, Severity
from .kinds import KINDS

# Findings of one kind on a page; a page of ten thousand would be read by nobody.
SHOWN = 500
_QUOTED = 240
_SIGNS = {Severity.ERROR: "✕", Severity.WARNING: "!", Severity.NOTE: "i"}


def to_html(report: Report, *, title: str = "") -> str:
    """Return the whole page.

    Every field is escaped; the page's policy forbids network access and every script. Arabic runs from right to
    left in elements of its own, so that neither ids nor digits beside it are drawn into its direction.

    Args:
        report: of a check.
        title: of the page; what was checked if empty.
    """
    shown = title or f"isnad data check: {', '.join(report.sources.values())}"
    groups = report.by_kind()
    nav = "".join(
        f'<li><a href="#{kind}">{KINDS[kind].title}</a> <span class="n">{len(found):,}</span></li>'
        for kind, found in groups.items()
    )
    sections = [_section(kind, found) for kind, found in groups.items()]
    body = Template(asset(__file__, "report.html")).substitute(
        title=esc(one_line(shown)),
        summary=_summary(report),
        filters="".join(_filter(severity, report.counts()[severity]) for severity in Severity),
        nav=nav,
        sections="\n".join(sections) or '<p class="none">Nothing was found.</p>',
        totals=_totals(report),
        labels=_labels(report),
        drift="".join(f"<p>{esc(d.meaning)}</p>" for d in report.drift),
        remarks="".join(f"<li>{esc(one_line(remark))}</li>" for remark in report.remarks),
    )
    return page(body, title=shown, style=report_style() + asset(__file__, "report.css"))


def _arabic(text: str) -> str:
    """Return text in an element of its own direction."""
    attributes = ' lang="ar" dir="rtl"' if has_rtl(text) else ' dir="auto"'
    return f"<bdi{attributes}>{esc(text)}</bdi>"


def _summary(report: Report) -> str:
    sources = " · ".join(f"{split}: <bdi>{esc(name)}</bdi>" for split, name in report.sources.items())
    return f"{sources} · schema <bdi>{esc(report.schema)}</bdi>"


def _filter(severity: Severity, n: int) -> str:
    plural = "" if n == 1 else "s"
    return (
        f'<label class="filter {severity}"><input type="checkbox" id="show-{severity}" checked> '
        f'<span class="sign" aria-hidden="true">{_SIGNS[severity]}</span> {n:,} {severity}{plural}</label>'
    )


def _section(kind: str, findings: list[Finding]) -> str:
    rows = "\n".join(_finding(f) for f in findings[:SHOWN])
    rest = len(findings) - SHOWN
    more = f'<p class="about">… and {rest:,} more; --format json has them all.</p>' if rest > 0 else ""
    severities = " ".join(f"has-{s}" for s in Severity if any(f.severity is s for f in findings))
    # Long lists of notes start closed; what must be mended is open.
    opened = " open" if len(findings) <= 50 or any(f.severity is not Severity.NOTE for f in findings) else ""
    return (
        f'<section id="{kind}" class="{severities}"><details{opened}>\n'
        f'<summary><h2>{KINDS[kind].title}</h2> <span class="n">{len(findings):,}</span></summary>\n'
        f'<p class="about">{esc(KINDS[kind].about)}</p>\n<ul class="findings">\n{rows}\n</ul>{more}\n'
        "</details></section>"
    )


def _finding(f: Finding) -> str:
    parts = [f'<span class="sign" role="img" aria-label="{f.severity}">{_SIGNS[f.severity]}</span>']
    label = f'<span class="label">{esc(f.label)}</span> ' if f.label else ""
    parts.append(f'<p class="message">{label}{_sentence(f.message)}</p>')
    if f.text:
        parts.append(_quote(f))
    if f.suggestion:
        parts.append(f'<p class="suggestion">{_sentence(f.suggestion)}</p>')
    where = [f"<bdi>{esc(one_line(f.document))}</bdi>"] if f.document else []
    where += [f"{f.start:,}–{f.end:,}"] if f.start >= 0 else []
    where += [esc(f.split)] if f.split else []
    if where:
        parts.append(f'<p class="where">{" · ".join(where)}</p>')
    return f'<li class="finding {f.severity}">{"".join(parts)}</li>'


def _sentence(text: str) -> str:
    """Return an English sentence in which every «quotation» keeps its direction to itself."""
    pieces = esc(one_line(text)).split("«")
    parts = [pieces[0]]
    for piece in pieces[1:]:
        quoted, end, rest = piece.partition("»")
        parts.append(f"«<bdi>{quoted}</bdi>{end}{rest}")
    return "".join(parts)


def _quote(f: Finding) -> str:
    """Return the place in its line; the signs for blanks make an edge visible that is nothing but blank."""
    text = f.text if len(f.text) <= _QUOTED else f.text[: _QUOTED - 1] + "…"
    line = f.before + f.text + f.after
    attributes = ' lang="ar" dir="rtl"' if has_rtl(line) else ' dir="auto"'
    return (
        f'<blockquote{attributes}><span class="around">{esc(f.before)}</span><mark>{esc(text)}</mark>'
        f'<span class="around">{esc(f.after)}</span></blockquote>'
    )


def _totals(report: Report) -> str:
    head = "".join(f'<th scope="col" class="num">{esc(split)}</th>' for split in report.sources)
    rows = "".join(
        f'<tr><th scope="row">{esc(what)}</th>'
        + "".join(f'<td class="num">{report.totals[split][what]:,}</td>' for split in report.sources)
        + "</tr>"
        for what in next(iter(report.totals.values()), {})
    )
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _labels(report: Report) -> str:
    tables = []
    for kind, title in (("entity", "Entities"), ("relation", "Relations")):
        rows = [row for row in report.labels if row.kind == kind and any(row.counts.values())]
        if rows:
            tables.append(_label_table(title, rows, list(report.sources)))
    return "".join(tables)


def _label_table(title: str, rows: list[LabelRow], splits: list[str]) -> str:
    named = any(row.names for row in rows)
    head = "".join(
        f'<th scope="col" class="num">{esc(split)}</th>'
        + ('<th scope="col" class="num dim">names</th>' if named else "")
        for split in splits
    )
    most = {split: max(row.counts[split] for row in rows) or 1 for split in splits}
    body = []
    for row in rows:
        cells = ""
        for split in splits:
            share = 100 * row.counts[split] / most[split]
            cells += (
                f'<td class="num bar"><meter min="0" max="100" value="{share:.1f}"></meter>'
                f"{row.counts[split]:,}</td>"
            )
            cells += f'<td class="num dim">{row.names[split]:,}</td>' if named else ""
        body.append(f'<tr><th scope="row"><bdi>{esc(row.label)}</bdi></th>{cells}</tr>')
    return (
        f"<table><caption>{title}</caption><thead><tr><th>label</th>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )
