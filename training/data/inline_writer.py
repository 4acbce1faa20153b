"""Writing the inline format; `inline` describes and reads it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

from ...model.document import Document, Entity, Relation, number_clusters
from ...model.errors import DataError
from . import losses

_LABEL_REFUSES = set("[]|#\\")


def format_inline(document: Document, *, id: str | None = None, topic: str = "", origin: str = "") -> str:
    r"""Return a document in the inline format, ended by a line feed.

    Mentions that corefer or stand in a relation are numbered in text order. Scores, and the order of
    mentions with the same span, are all that is lost.

    Args:
        document: any document.
        id: slug for the header instead of the document's own.
        topic, origin: the other header fields.

    Raises:
        DataError: the format cannot hold the document: spans that cross, repeat or run over a line end, a
            relation between two lines, a cluster of several labels, or `|` in a header field.
    """
    entities = sorted(document.entities, key=lambda e: (e.start, -e.end))
    lines = document.text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    line_of = _lines_of(document, entities, starts)
    numbers = _numbers(document, entities)
    names, links = _names(entities, numbers, line_of), _links(document, line_of)
    inside: dict[int, list[Entity]] = defaultdict(list)
    for e in entities:
        inside[line_of[e.id]].append(e)
    out = [_header(document.id if id is None else id, topic, origin)]
    for n, line in enumerate(lines[:-1] if lines[-1] == "" and len(lines) > 1 else lines):
        marked = _marked(document, line, starts[n], inside[n], numbers)
        last = n == len(lines) - 1  # no line feed follows
        out.append(_protected(marked, raw=line, closes=last))
        if links[n]:
            out.append("> " + "; ".join(f"{names[h]} {label} {names[t]}" for h, label, t in links[n]))
    return "\n".join(out) + "\n"


def fitted(document: Document, lost: Counter[str]) -> Document:
    """Return the document without what the format cannot hold, all that is lost counted."""
    losses.count_scores(document, lost)
    text = document.text
    gone: set[str] = set()
    open_: list[Entity] = []
    for e in sorted(document.entities, key=lambda e: (e.start, -e.end)):
        open_ = [o for o in open_ if o.end > e.start]
        kind = ""
        if "\n" in e.text:
            kind = "entities over a line end"
        elif any(o.end < e.end for o in open_):
            kind = losses.CROSSING
        elif any((o.start, o.end, o.label) == (e.start, e.end, e.label) for o in open_):
            kind = losses.REPEATED
        if kind:
            losses.add(lost, kind, 1)
            gone.add(e.id)
        else:
            open_.append(e)
    kept = losses.without(document, gone, lost)
    by_id = kept.by_id()
    relations = tuple(r for r in kept.relations if "\n" not in text[_earlier(by_id, r) : _later(by_id, r)])
    losses.add(lost, "relations between lines", len(kept.relations) - len(relations))
    groups = [c for c in kept.clusters if len({by_id[m].label for m in c}) == 1]
    losses.add(lost, "coreference clusters of several labels", len(kept.clusters) - len(groups))
    entities, clusters = number_clusters(kept.entities, groups)
    return replace(kept, entities=entities, relations=relations, clusters=clusters)


def _earlier(entities: Mapping[str, Entity], relation: Relation) -> int:
    return min(entities[relation.head].start, entities[relation.tail].start)


def _later(entities: Mapping[str, Entity], relation: Relation) -> int:
    return max(entities[relation.head].start, entities[relation.tail].start)


def _header(slug: str, topic: str, origin: str) -> str:
    for value in (slug, topic, origin):
        if "|" in value or len(value.splitlines()) > 1 or value != value.strip():
            raise DataError(f"the header field {value!r}", accepted="one line without '|' and outer blanks")
    if not slug:
        raise DataError("a document without id", accepted="an id, which becomes the slug of the header")
    fields = [slug, topic, origin]
    while not fields[-1]:
        fields.pop()
    return "# " + " | ".join(fields)


def _lines_of(document: Document, entities: list[Entity], starts: list[int]) -> dict[str, int]:
    line_of, line = {}, 0
    for e in entities:
        while starts[line + 1] <= e.start:
            line += 1
        if e.end >= starts[line + 1]:
            raise _refused(
                document, f"the mention {_shown(e)} runs over a line end", "mentions within a line"
            )
        if set(e.label) & _LABEL_REFUSES or len(e.label.split()) != 1:
            raise _refused(document, f"the label {e.label!r}", "labels without blanks and [ ] | # \\")
        line_of[e.id] = line
    return line_of


def _numbers(document: Document, entities: list[Entity]) -> dict[str, int]:
    """Number the mentions that need one, in text order; a cluster shares the number of its first mention."""
    by_id = document.by_id()
    cluster_of = {m: n for n, cluster in enumerate(document.clusters) for m in cluster}
    for cluster in document.clusters:
        labels = sorted({by_id[m].label for m in cluster})
        if len(labels) > 1:
            found = f"the cluster of {_shown(by_id[cluster[0]])} mixes {', '.join(labels)}"
            raise _refused(document, found, "one label a cluster; a number never changes its label")
    related = {end for r in document.relations for end in (r.head, r.tail)}
    numbers: dict[str, int] = {}
    of_cluster: dict[int, int] = {}
    following = 1
    for e in entities:
        cluster_number = cluster_of.get(e.id)
        if cluster_number is None and e.id not in related:
            continue
        number = of_cluster.get(cluster_number, following) if cluster_number is not None else following
        if cluster_number is not None:
            of_cluster[cluster_number] = number
        following += number == following
        numbers[e.id] = number
    return numbers


def _names(entities: list[Entity], numbers: dict[str, int], line_of: dict[str, int]) -> dict[str, str]:
    """Name each numbered mention as `>` lines do: `n`, or `n.k` for the k-th of its number in its line."""
    seen: Counter[tuple[int, int]] = Counter()
    names = {}
    for e in entities:
        if e.id in numbers:
            key = line_of[e.id], numbers[e.id]
            seen[key] += 1
            names[e.id] = f"{key[1]}.{seen[key]}" if seen[key] > 1 else str(key[1])
    return names


def _links(document: Document, line_of: dict[str, int]) -> dict[int, list[tuple[str, str, str]]]:
    links: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
    for r in document.relations:
        if line_of[r.head] != line_of[r.tail]:
            head, tail = document.entity(r.head), document.entity(r.tail)
            found = f"the relation {_shown(head)} {r.label} {_shown(tail)} joins two text lines"
            raise _refused(document, found, "relations within a line; brat and jsonl hold the others")
        links[line_of[r.head]].append((r.head, r.label, r.tail))
    return links


def _marked(
    document: Document, line: str, offset: int, entities: list[Entity], numbers: dict[str, int]
) -> str:
    """Return a text line with its mentions in brackets; entities come sorted by start, longer first."""
    opens = Counter(e.start - offset for e in entities)
    closes: dict[int, list[str]] = defaultdict(list)
    stack: list[Entity] = []
    for e in entities:
        while stack and stack[-1].end <= e.start:
            stack.pop()
        if stack and stack[-1].end < e.end:
            raise _refused(
                document, f"{_shown(stack[-1])} and {_shown(e)} cross", "nested or disjoint mentions"
            )
        if any((o.start, o.end, o.label) == (e.start, e.end, e.label) for o in stack):
            raise _refused(document, f"{_shown(e)} stands there twice", "a label once for a span")
        stack.append(e)
        number = f"#{numbers[e.id]}" if e.id in numbers else ""
        closes[e.end - offset].insert(0, f"|{e.label}{number}]")  # inner spans close first
    out = []
    for i, char in enumerate(line):
        out += [*closes[i], "[" * opens[i]]
        out.append("\\" + char if char in "[]|\\" or (char == ">" and i == 0 and not opens[0]) else char)
    return "".join([*out, *closes[len(line)]])


def _protected(marked: str, *, raw: str, closes: bool) -> str:
    """Guard the end of a line: `\\c` where no line feed follows, a backslash after blanks or for no text."""
    if closes:
        return marked + "\\c"
    return marked if raw and marked == marked.rstrip() else marked + "\\"


def _shown(e: Entity) -> str:
    return f"{e.text!r} ({e.label}, {e.start} to {e.end})"


def _refused(document: Document, found: str, accepted: str) -> DataError:
    return DataError(f"document {document.id!r} does not fit the inline format: {found}", accepted=accepted)
