"""A self-contained HTML view of documents: nested mentions, relations, clusters; no network."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..document import Document, Entity, Relation
from ..schema import EntityType, LabelSchema, RelationType
from .characters import has_rtl, joins, one_line, printable
from .nesting import Close, Open, Text, nest
from .page import asset, esc, page, palette

# Part of the hash that gives a label its colour. Any value works; this one was searched for so that the
# commonest types of news (persons, organisations, countries, roles, events) get hues far apart.
_COLOUR_SEED = "90001"
_JOIN = '<i class="isnad-join"></i>'
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def to_html(
    documents: Sequence[Document],
    *,
    full_page: bool = True,
    title: str = "isnad",
    schema: LabelSchema | None = None,
) -> str:
    """Return documents as HTML that needs nothing else: style and a little script are inside.

    Every field is escaped; what UTF-8 or HTML cannot carry (lone surrogates, control characters) is shown
    as U+FFFD. A full page carries a content security policy that forbids every network access and every
    script but our own.

    Args:
        documents: what to show; with several a full page starts with a table of contents.
        full_page: a whole page; False gives a fragment with scoped style and without ids, safe to put
            into a notebook or another page any number of times.
        title: title of the page; a fragment has none.
        schema: adds the descriptions of labels to the legend and draws symmetric relations as such.
    """
    schema_view = _SchemaView.of(schema)
    style = viewer_style() if full_page else palette() + viewer_style()
    parts = [f'<div class="isnad" lang="ar" dir="rtl">\n<style>\n{style}</style>']
    if full_page:
        parts.append(f"<h1><bdi>{esc(one_line(title))}</bdi></h1>")
    if full_page and len(documents) > 1:
        parts.append(_contents(documents))
    if not documents:
        parts.append(f'<p class="isnad-meta">{_both("لا وثائق", "no documents")}</p>')
    for number, document in enumerate(documents, 1):
        heading = esc(_heading(document, number))
        if full_page:
            tag, attributes, first = "article", f' id="doc-{number}"', f"<h2><bdi>{heading}</bdi></h2>"
        elif len(documents) > 1:
            opened = " open" if number == 1 else ""
            tag, attributes, first = "details", opened, f"<summary><bdi>{heading}</bdi></summary>"
        else:
            tag, attributes, first = "article", "", ""
        body = _document(document, schema_view)
        parts.append(f'<{tag} class="isnad-doc"{attributes}>{first}\n{body}\n</{tag}>')
    script = asset(__file__, "viewer.js")
    parts.append(f"<script>{script}</script>\n</div>")
    body = "\n".join(parts)
    if not full_page:
        return body + "\n"
    return page(f"<body>\n{body}\n</body>", title=title, script=script, lang="ar")


def viewer_style() -> str:
    """Return the rules that draw texts with their mentions, in the colours of `page.palette`."""
    return asset(__file__, "viewer.css")


def colour(label: str) -> tuple[int, int]:
    """Return the hue in degrees and the tone (0 light, 1 deeper) of a label, the same wherever it occurs.

    Lightness and chroma are fixed in `viewer.css` in OKLCH, where equal lightness looks equally light for
    every hue, so that any label is readable on its colour.
    """
    key = f"{_COLOUR_SEED}{label}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(key, digest_size=4).digest()
    return int.from_bytes(digest[:2]) % 360, digest[2] & 1


@dataclass(frozen=True)
class _SchemaView:
    descriptions: Mapping[str, str]
    symmetric: frozenset[str]

    @classmethod
    def of(cls, schema: LabelSchema | None) -> "_SchemaView":
        if schema is None:
            return cls({}, frozenset())
        types: tuple[EntityType | RelationType, ...] = (*schema.entities, *schema.relations)
        return cls(
            {t.name: "\n".join(filter(None, (t.ar, t.en))) for t in types},
            frozenset(r.name for r in schema.relations if r.symmetric),
        )


def _both(arabic: str, english: str) -> str:
    return f'{arabic} <span class="isnad-en" lang="en" dir="ltr">{english}</span>'


def _paint(label: str) -> str:
    hue, tone = colour(label)
    return f"--hue:{hue};--tone:{tone}"


def _chip(label: str) -> str:
    return f'<span class="isnad-chip" style="{_paint(label)}">{esc(one_line(label))}</span>'


def _heading(document: Document, number: int) -> str:
    return one_line(document.id) or f"وثيقة {number}"


def _contents(documents: Sequence[Document]) -> str:
    items = []
    for number, document in enumerate(documents, 1):
        start = one_line(document.text.strip()[:200].partition("\n")[0])
        excerpt = start if len(start) <= 80 else start[:80].rsplit(" ", 1)[0] + "…"
        items.append(
            f'<li><a href="#doc-{number}"><bdi>{esc(_heading(document, number))}</bdi></a> '
            f'<bdi class="isnad-more">{esc(excerpt)}</bdi></li>\n'
        )
    return f'<nav class="isnad-toc" aria-label="المحتويات"><ol>{"".join(items)}</ol></nav>'


def _document(document: Document, schema: _SchemaView) -> str:
    side = _relations(document, schema) + _clusters(document)
    columns = "isnad-columns" if side else "isnad-columns isnad-single"
    aside = f'\n<div class="isnad-side">\n{side}</div>' if side else ""
    return (
        f"{_meta(document)}\n{_legend(document.entities, schema)}\n"
        f'<div class="{columns}">\n{_text(document)}{aside}\n</div>\n'
        '<p class="isnad-info" dir="auto" aria-live="polite" hidden></p>'
    )


def _meta(document: Document) -> str:
    counts = (
        ("الأحرف", "characters", len(document.text)),
        ("الكيانات", "entities", len(document.entities)),
        ("العلاقات", "relations", len(document.relations)),
        ("المجموعات", "clusters", len(document.clusters)),
    )
    parts = [f"{_both(arabic, english)}&nbsp;<bdi>{n:,}</bdi>" for arabic, english, n in counts]
    schema = " ".join(document.schema[k] for k in ("name", "version", "hash") if document.schema.get(k))
    parts += [f'<bdi dir="ltr">{esc(one_line(x))}</bdi>' for x in (document.model, schema) if x]
    return f'<p class="isnad-meta">{" · ".join(parts)}</p>'


def _legend(entities: Iterable[Entity], schema: _SchemaView) -> str:
    counts = Counter(e.label for e in entities)
    if not counts:
        return f'<p class="isnad-meta">{_both("لا كيانات", "no entities")}</p>'
    keys = [
        f'<button type="button" class="isnad-key" aria-pressed="true" data-label="{esc(label)}" '
        f'style="{_paint(label)}" title="{esc(schema.descriptions.get(label, ""))}">'
        f"<bdi>{esc(one_line(label))}</bdi> {count}</button>"
        for label, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return f'<div class="isnad-legend">{"".join(keys)}</div>'


def _text(document: Document) -> str:
    """Return the text block; its text content equals the document's text, labels are drawn by the style."""
    # One character for one, so that offsets hold: the CR of a CRLF becomes NUL (there are no others now).
    shown = re.sub("\r(?=\n)", "\0", printable(document.text)).replace("\r", "\n")
    events = nest([(e.start, e.end) for e in document.entities], len(shown))
    parts = []
    depth = 0
    for event in events:
        match event:
            case Text(start, end):
                parts.append(_JOIN if joins(shown, start) else "")
                parts.append(escape(shown[start:end]).replace("\0", ""))
                parts.append(_JOIN if joins(shown, end) else "")
            case Open():
                depth = max(depth, event.height)
                parts.append(_mark(document, event))
            case Close():
                parts.append("</mark>")
    direction = "rtl" if has_rtl(document.text) or not document.text else "ltr"
    return f'<div class="isnad-text" dir="{direction}" style="--depth:{depth}">{"".join(parts)}</div>'


def _mark(document: Document, piece: Open) -> str:
    entity = document.entities[piece.index]
    group = "" if entity.cluster is None else f' data-group="{entity.cluster}"'
    cut = "" if piece.last else ' class="isnad-cut"'
    return (
        f'<mark{cut} data-index="{piece.index}"{group} data-label="{esc(entity.label)}" '
        f'title="{esc(_tooltip(document, entity))}" style="{_paint(entity.label)};--height:{piece.height}">'
    )


def _tooltip(document: Document, entity: Entity) -> str:
    lines = [f"{_named(entity)} · {one_line(entity.label)}", f"score {entity.score:.2f}"]
    if entity.cluster is not None and entity.cluster < len(document.clusters):
        lines.append(f"cluster {entity.cluster}, {len(document.clusters[entity.cluster])} mentions")
    lines.append(f"{one_line(entity.id)} [{entity.start}:{entity.end}]")
    return "\n".join(lines)


def _named(entity: Entity) -> str:
    return f"{_ISOLATE}{one_line(entity.name or entity.text)}{_END_ISOLATE}"


def _relations(document: Document, schema: _SchemaView) -> str:
    if not document.relations:
        return ""
    index = {e.id: i for i, e in enumerate(document.entities)}
    scored = any(r.score < 1 for r in document.relations)  # gold has nothing to say in this column
    rows = [_relation(document, relation, index, schema, scored) for relation in document.relations]
    columns = [("الرأس", "head"), ("العلاقة", "relation"), ("الذيل", "tail"), ("الدرجة", "score")]
    head = "".join(f"<th>{_both(*names)}</th>" for names in columns[: 3 + scored])
    return (
        f"<h3>{_both('العلاقات', 'relations')} <bdi>{len(rows)}</bdi></h3>\n"
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody></table>\n"
    )


def _relation(
    document: Document, relation: Relation, index: Mapping[str, int], schema: _SchemaView, scored: bool
) -> str:
    ends = [index[relation.head], index[relation.tail]]
    head, tail = (document.entities[i] for i in ends)
    label = one_line(relation.label)
    symmetric = relation.label in schema.symmetric
    title = f"{_named(head)} · {label} · {_named(tail)}\nscore {relation.score:.2f}"
    about = schema.descriptions.get(relation.label)
    # The page runs from right to left, so the arrow from head to tail points left.
    cells = (
        f"<td><bdi>{esc(one_line(head.name))}</bdi>&nbsp;{_chip(head.label)}</td>"
        f'<td><span class="isnad-arrow">{"↔" if symmetric else "←"}</span>'
        f'<span class="isnad-rel">{esc(label)}</span></td>'
        f"<td><bdi>{esc(one_line(tail.name))}</bdi>&nbsp;{_chip(tail.label)}</td>"
    )
    score = f'<td><span class="isnad-num">{relation.score:.2f}</span></td>' if scored else ""
    return (
        f'<tr tabindex="0" data-ends="{ends[0]} {ends[1]}" '
        f'title="{esc(title + (chr(10) + about if about else ""))}">{cells}{score}</tr>\n'
    )


def _clusters(document: Document) -> str:
    if not document.clusters:
        return ""
    entities = document.by_id()
    items = []
    for number, members in enumerate(document.clusters):
        names = Counter(one_line(entities[m].name) for m in members)
        longest = max(names, key=len)
        others = "، ".join(f"<bdi>{esc(n)}</bdi> ×{c}" for n, c in names.most_common())
        more = f'<span class="isnad-more">{others}</span>' if len(names) > 1 else ""
        items.append(
            f'<li tabindex="0" data-group="{number}"><bdi>{esc(longest)}</bdi>&nbsp;'
            f'{_chip(entities[members[0]].label)} <span class="isnad-num">×{len(members)}</span> {more}</li>'
        )
    return (
        f"<h3>{_both('المجموعات', 'clusters')} <bdi>{len(items)}</bdi></h3>\n"
        f'<ul class="isnad-clusters">\n{"".join(items)}</ul>\n'
    )
