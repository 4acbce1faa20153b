r"""doccano JSONL (https://doccano.github.io/doccano/tutorial/): a text with spans and relations a line.

Both layouts are read: that of projects with relations (`entities` with `start_offset` and `end_offset`, and
`relations`), and that of sequence labelling alone (`label`: `[[start, end, label], …]`).

doccano counts code points, or grapheme clusters where the project says "Count grapheme clusters as one
character"; early versions counted UTF-16 units. The file does not say which, and quotes nothing: code
points are taken unless `offsets` says otherwise. Offsets outside the text are faults, offsets that cut a letter
off its marks are reported: both are signs that `offsets` should say something else.

Clusters become relations named `coreference` from mention to mention, and are read back from them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema
from . import losses
from .builder import DocumentBuilder
from .exchange import dump_json
from .files import Faults, named, write_text
from .offsets import CODE_POINTS, UNITS, Claim, check_unit, settle, splits_cluster, starts_of, written_in
from .records import (
    COREFERENCE,
    Marked,
    add_mentions,
    coreference_links,
    first_record,
    holds_clusters,
    id_text,
    objects,
    read_records,
    whole,
)

_LINE = '{"text": …, "entities": [{"id", "label", "start_offset", "end_offset"}], "relations": […]} or '
_LINE += '{"text": …, "label": [[start, end, label], …]}'
_LAYOUTS = ("relations", "labels")
_TRY = "if there are more of these, read the file with offsets=graphemes"
_TEXT_KEYS = ("text", "data")
_LABEL_KEYS = ("label", "labels")


def read(path: Path, schema: LabelSchema, *, offsets: str = CODE_POINTS) -> list[Document]:
    """Read an export of a sequence labelling project, with relations or without.

    Args:
        path: the `.jsonl` file.
        schema: the labels and signatures to check against.
        offsets: what the offsets count: `code-points`, `graphemes` or `utf-16`.

    Returns:
        Documents in the order of the lines. `id` is `document_id`, else `document-<id>`, else the line.

    Raises:
        DataError: broken JSON, offsets outside the text, labels that the schema lacks; up to 20 faults are
            listed with their lines.
    """
    check_unit(offsets)
    return read_records(path, partial(_Record, schema=schema, unit=offsets), accepted=_LINE)


def write(
    documents: Sequence[Document],
    path: Path,
    schema: LabelSchema,
    *,
    offsets: str = CODE_POINTS,
    layout: str = "relations",
) -> Counter[str]:
    """Write a file to import.

    Args:
        documents: ids go to `document_id`, which doccano keeps as metadata.
        path: the file.
        schema: tells whether the name `coreference` is free.
        offsets: what to count: `code-points`, `graphemes` or `utf-16`. Where a mention begins or ends inside a
            grapheme cluster, it is widened to whole ones, and counted.
        layout: `relations`, or `labels` for projects without them.

    Returns:
        Scores, model names, and what the layout has no place for.
    """
    check_unit(offsets)
    if layout not in _LAYOUTS:
        raise DataError(f"found {layout!r}", accepted=nearest(layout, _LAYOUTS))
    lost: Counter[str] = Counter()
    lines, first = [], 0
    for number, (name, document) in enumerate(named(documents), 1):
        record: dict[str, Any] = {"id": number, "text": document.text, "document_id": name}
        spans = _spans(document, offsets, lost)
        document = losses.merged(document, lost, spans)
        losses.count_scores(document, lost)
        if layout == "labels":
            record["label"] = [list(spans[e.id]) for e in document.entities]
            losses.count_links(document, lost)
        else:
            record |= _linked(document, spans, first, schema, lost)
        lines.append(dump_json(record) + "\n")
        first += len(document.entities)  # doccano looks ids up in the whole file
    write_text(path, "".join(lines))
    return lost


def detects(path: Path) -> bool:
    """Whether the first record of a `.json` or `.jsonl` file is one of doccano's."""
    first = first_record(path)
    if not isinstance(first, dict) or not any(isinstance(first.get(key), str) for key in _TEXT_KEYS):
        return False
    entities = first.get("entities")
    if isinstance(entities, list):
        offsets = all(isinstance(e, dict) and "start_offset" in e for e in entities)
        return offsets if entities else "clusters" not in first and "format_version" not in first
    return any(_is_label_list(first.get(key)) for key in _LABEL_KEYS)


def _is_label_list(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(v, list) and len(v) == 3 and whole(v[0]) and whole(v[1]) and isinstance(v[2], str)
        for v in value
    )


def _spans(document: Document, unit: str, lost: Counter[str]) -> dict[str, tuple[int, int, str]]:
    at = written_in(document.text, unit)
    length = at(len(document.text))
    starts = starts_of(document.text, unit)
    spans = {}
    for e in document.entities:
        start, end = at(e.start), at(e.end)
        widened = starts[end] < e.end
        end = min(end + widened, length)
        losses.add(lost, losses.CLUSTER_EDGES, widened or starts[start] < e.start)
        spans[e.id] = (start, end, e.label)
    return spans


def _linked(
    document: Document,
    spans: Mapping[str, tuple[int, int, str]],
    first: int,
    schema: LabelSchema,
    lost: Counter[str],
) -> dict[str, Any]:
    number = {e.id: first + n for n, e in enumerate(document.entities, 1)}
    entities = []
    for e in document.entities:
        start, end, label = spans[e.id]
        entities.append({"id": number[e.id], "label": label, "start_offset": start, "end_offset": end})
    links = [(r.head, r.label, r.tail) for r in document.relations]
    links += coreference_links(document, schema, lost)
    relations = [{"from_id": number[h], "to_id": number[t], "type": label} for h, label, t in links]
    return {"entities": entities, "relations": [{"id": n} | r for n, r in enumerate(relations, 1)]}


@dataclass
class _Record:
    """One line on its way to a document."""

    data: Mapping[str, Any]
    line: int
    faults: Faults
    notices: Counter[str]
    schema: LabelSchema
    unit: str

    def name(self) -> str:
        for key, prefix in (("document_id", ""), ("id", "document-")):
            if id_ := id_text(self.data.get(key)):
                return f"{prefix}{id_}"
        return f"document-{self.line}"

    def document(self, name: str) -> Document | None:
        text = next((self.data[k] for k in _TEXT_KEYS if isinstance(self.data.get(k), str)), None)
        if text is None:
            self.faults.add("no text", line=self.line, accepted=_LINE)
            return None
        mentions, refused = self._mentions(name, text)
        builder = DocumentBuilder(text, self.schema, self.faults, name, self.notices)
        names = add_mentions(builder, mentions, line=self.line)
        for item in self._list("relations"):
            ends = [str(item.get(key)) for key in ("from_id", "to_id")]
            if refused.intersection(ends):
                continue  # the mention is reported
            head, tail = (names.first.get(end, f"id {end}") for end in ends)
            label = str(item.get("type", ""))
            if label == COREFERENCE and holds_clusters(self.schema):
                builder.group((head, tail), line=self.line)
            else:
                builder.relate(head, label, tail, line=self.line, shown=f"{ends[0]} {label} {ends[1]}")
        return builder.build()

    def _list(self, key: str) -> list[dict[str, Any]]:
        return objects(self.data, key, self.faults, line=self.line, accepted=_LINE)

    def _raw(self) -> list[tuple[str, Any, Any, Any, Any]]:
        """Return (id, start, end, label, quoted text) of every span as the line has it."""
        raw = [
            (str(e.get("id")), e.get("start_offset"), e.get("end_offset"), e.get("label"), e.get("text"))
            for e in self._list("entities")
        ]
        for key in _LABEL_KEYS:
            value = self.data.get(key)
            if isinstance(value, list) and "entities" not in self.data:
                rows = [v if isinstance(v, list) and len(v) == 3 else [None, None, v] for v in value]
                raw += [(f"{key} {n}", row[0], row[1], row[2], None) for n, row in enumerate(rows, 1)]
        if any("label" in a for a in self._list("annotations")):
            self.faults.add(
                "'annotations' name labels by number",
                line=self.line,
                accepted="the export JSONL, with their names",
            )
        return raw

    def _mentions(self, name: str, text: str) -> tuple[list[Marked], set[str]]:
        mentions: list[Marked] = []
        refused: set[str] = set()
        for key, start, end, label, quote in self._raw():
            if not whole(start) or not whole(end) or not isinstance(label, str):
                refused.add(key)
                self.faults.add(f"the span {[start, end, label]!r}", line=self.line, accepted=_LINE)
                continue
            claim = Claim(start, end, quote if isinstance(quote, str) else None)
            place = settle(text, [claim], [self.unit])[0][0]
            if place is None:
                refused.add(key)
                found = f"document {name!r}: {label} spans {start} to {end}"
                self.faults.add(found, line=self.line, accepted=self._hint(text, start, end))
                continue
            if place.note:
                self.notices[f"document {name!r}: {label} {place.note}"] += 1
            if splits_cluster(text, place.start) or splits_cluster(text, place.end):
                span = f"{place.start}–{place.end}"
                self.notices[
                    f"document {name!r}: {label} at {span} cuts a letter off its marks ({_TRY})"
                ] += 1
            mentions.append(Marked(key, place.start, place.end, label))
        return sorted(mentions, key=lambda m: (m.start, -m.end)), refused

    def _hint(self, text: str, start: int, end: int) -> str:
        length = len(starts_of(text, self.unit)) - 1
        fits = [u for u in UNITS if u != self.unit and 0 <= start < end < len(starts_of(text, u))]
        other = f"; offsets={fits[-1]}, in which it fits" if fits else ""
        return f"0 <= start < end <= {length}, the length of the text in {self.unit}{other}"
