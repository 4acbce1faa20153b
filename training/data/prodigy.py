"""Prodigy JSONL (https://prodi.gy/docs/api-interfaces): what `spans.manual` and `rel.manual` store.

One task a line: `text`, `tokens`, `spans` (code points, end exclusive; they may overlap), `relations` with
`head_span` and `child_span`, and the `answer`. `head` and `child` are the last tokens of their spans, as
Prodigy writes them. Clusters are written as `coref.manual` stores them, as relations named COREF from each
mention to the one before. Scores have no place.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...model.document import Document, Entity
from ...model.schema import LabelSchema
from .builder import DocumentBuilder
from .exchange import dump_json, json_records, unheld
from .files import Faults, log_notices, named, read_text, write_text
from .offsets import CODE_POINTS, Claim, misquoted, settle
from .records import first_record, id_text, objects, whole
from .tokens import tokens

COREFERENCE = "COREF"
_TASK = 'a Prodigy task: {"text": …, "spans": [{"start", "end", "label"}], "answer": "accept"}'
_ANSWERS = ("accept", "reject", "ignore")
_KEYS = frozenset({"spans", "tokens", "answer", "_task_hash", "_input_hash", "_view_id"})


def read(path: Path, schema: LabelSchema) -> list[Document]:
    """Read the accepted tasks of a JSONL file; rejected and ignored ones are counted and logged.

    Offsets that differ from the span's own `text`, or from the texts of its tokens, are repaired where only one
    place is possible, and each repair is logged.

    Args:
        path: the file that `prodigy db-out` wrote.
        schema: the labels and signatures to check against.

    Returns:
        Documents in the order of the lines. `id` is `meta.id`, else `document-<line>`.

    Raises:
        DataError: broken JSON, no text, spans that fit nowhere or at several places, labels that the schema
            lacks; up to 20 faults are listed with their lines.
    """
    faults, notices = Faults(path), Counter[str]()
    documents: dict[str, Document] = {}
    for line, task in json_records(read_text(path), faults, accepted=_TASK):
        answer = task.get("answer", "accept")
        if answer not in _ANSWERS:
            faults.add(f"the answer {answer!r}", line=line, accepted=", ".join(_ANSWERS))
        elif not isinstance(task.get("text"), str):
            faults.add("no 'text'", line=line, accepted=_TASK)
        elif answer != "accept":
            notices[f"task answered {answer!r}, skipped"] += 1
        else:
            id_ = _id(task, line, documents, notices)
            documents[id_] = _Task(task, id_, line, schema, faults, notices).document()
    log_notices(path, notices)
    faults.raise_any()
    return list(documents.values())


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write accepted tasks, tokens included, so that proclitics can be left out of a span in the tool.

    Args:
        documents: ids go to `meta.id`.
        path: the file.
        schema: where one of its relations is called COREF, clusters have no place.

    Returns:
        Scores, model names, repeated mentions, and such clusters.
    """
    free = COREFERENCE not in schema.relation_index
    lines = [dump_json(_task(name, document, clusters=free)) for name, document in named(documents)]
    write_text(path, "".join(line + "\n" for line in lines))
    return unheld(documents, clusters=not free)


def detects(path: Path) -> bool:
    """Whether `path` is a `.jsonl` file whose first task has a text and spans, tokens, or an answer."""
    first = first_record(path) if path.suffix == ".jsonl" else None
    return isinstance(first, dict) and isinstance(first.get("text"), str) and not _KEYS.isdisjoint(first)


def _id(task: Mapping[str, Any], line: int, used: Mapping[str, Document], notices: Counter[str]) -> str:
    meta = task.get("meta")
    name = (id_text(meta.get("id")) if isinstance(meta, dict) else "") or f"document-{line}"
    if name in used:
        notices["document id used before, its line added"] += 1
        name = f"{name}#{line}"
    return name


@dataclass
class _Task:
    """One task on its way to a document; `_ids` finds mentions by what the relations say of their spans."""

    task: Mapping[str, Any]
    id: str
    line: int
    schema: LabelSchema
    faults: Faults
    notices: Counter[str]
    _ids: dict[tuple[Any, ...], list[str]] = field(default_factory=dict)

    def document(self) -> Document:
        builder = DocumentBuilder(self.task["text"], self.schema, self.faults, self.id, self.notices)
        claims: list[tuple[str, str, Claim]] = []
        for n, span in enumerate(self._items("spans"), 1):
            if span.get("label") is None:
                self.notices["span without a label, skipped"] += 1
                continue
            for key in _keys(span):
                self._ids.setdefault(key, []).append(f"T{n}")
            claim = self._claim(builder, f"T{n}", span)
            if claim is not None:
                claims.append((f"T{n}", str(span["label"]), claim))
        self._settle(builder, claims)
        for relation in self._items("relations"):
            self._relate(builder, relation)
        return builder.build()

    def _items(self, key: str) -> list[dict[str, Any]]:
        return objects(self.task, key, self.faults, line=self.line, accepted=_TASK)

    def _claim(self, builder: DocumentBuilder, id_: str, span: Mapping[str, Any]) -> Claim | None:
        """Return what a span says of its place: offsets, and its own quote or that of tokens placed otherwise."""
        start, end, quote = span.get("start"), span.get("end"), span.get("text")
        if not whole(start) or not whole(end):
            found = f"document {self.id!r}: the span {id_} has start {start!r} and end {end!r}"
            builder.refuse(id_, found, line=self.line, accepted="code points of the text, end exclusive")
            return None
        claim = Claim(start, end, quote if isinstance(quote, str) else None)
        by_tokens = self._by_tokens(builder.text, span)
        if by_tokens is None or builder.text[max(0, claim.start) : max(0, claim.end)] == claim.quote:
            return claim
        if claim.quote in {None, by_tokens.quote} and (start, end) != (by_tokens.start, by_tokens.end):
            # Its tokens are where they say: two witnesses against one.
            self._moved(id_, by_tokens, f"moved from {start}–{end} to its tokens")
            return by_tokens
        return claim

    def _by_tokens(self, text: str, span: Mapping[str, Any]) -> Claim | None:
        """Return the span of the tokens that a span names, if the text there is theirs; else None."""
        first, last, row = span.get("token_start"), span.get("token_end"), self.task.get("tokens")
        if not whole(first) or not whole(last) or not isinstance(row, list):
            return None
        run = row[first : last + 1] if 0 <= first <= last < len(row) else []
        if not run or not all(isinstance(t, dict) and isinstance(t.get("text"), str) for t in run):
            return None
        start, end = run[0].get("start"), run[-1].get("end")
        if not whole(start) or not whole(end) or not 0 <= start < end:
            return None
        quote = text[start:end]
        fits = "".join(quote.split()) == "".join("".join(t["text"] for t in run).split())
        return Claim(start, end, quote) if fits and quote else None

    def _settle(self, builder: DocumentBuilder, claims: Sequence[tuple[str, str, Claim]]) -> None:
        places, unit = settle(builder.text, [claim for _, _, claim in claims])
        if unit != CODE_POINTS:
            self.notices[f"document {self.id!r}: offsets are {unit}"] += 1
        for (id_, label, claim), spot in zip(claims, places, strict=True):
            if spot is None and claim.quote is not None:
                found, accepted = misquoted(builder.text, claim)
                found = f"document {self.id!r}: {id_} {found}"
                builder.refuse(id_, found, line=self.line, accepted=accepted)
                continue
            if spot is not None and spot.note:
                self._moved(id_, claim, spot.note)
            start, end = (spot.start, spot.end) if spot else (claim.start, claim.end)
            builder.mention(id_, start, end, label, line=self.line)

    def _moved(self, id_: str, claim: Claim, note: str) -> None:
        self.notices[f"document {self.id!r}: span {id_}, {claim.quote!r}, {note}"] += 1

    def _relate(self, builder: DocumentBuilder, relation: Mapping[str, Any]) -> None:
        label = relation.get("label")
        if label is None:
            self.notices["relation without a label, skipped"] += 1
            return
        ends = [self._end(relation, side) for side in ("head", "child")]
        if ends[0] is None or ends[1] is None:
            return
        if label == COREFERENCE and label not in self.schema.relation_index:
            builder.group([ends[0], ends[1]], line=self.line)
        else:
            builder.relate(ends[0], str(label), ends[1], line=self.line)

    def _end(self, relation: Mapping[str, Any], side: str) -> str | None:
        """Return the mention id at one end of a relation; by its span, else by its last token."""
        span = relation.get(f"{side}_span")
        keys = _keys(span) if isinstance(span, dict) else [("last token", relation.get(side))]
        for key in keys:
            ids = self._ids.get(key, [])
            if len(ids) == 1:
                return ids[0]
        wanted = (
            f"start {span.get('start')}, end {span.get('end')}" if isinstance(span, dict) else str(keys[0])
        )
        several = any(self._ids.get(key) for key in keys)
        self.faults.add(
            f"document {self.id!r}: the {side} of {relation.get('label')!r} ({wanted}) is "
            + ("more than one span" if several else "no span with a label"),
            line=self.line,
            accepted=f"start, end and label of one of the spans under '{side}_span'",
        )
        return None


def _keys(span: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return what a relation may say of a span, the exact first."""
    bounds = (str(span.get("start")), str(span.get("end")))
    keys: list[tuple[Any, ...]] = [(*bounds, str(span["label"]))] if span.get("label") is not None else []
    keys.append(bounds)
    if whole(span.get("token_end")):
        keys.append(("last token", span["token_end"]))
    return keys


def _task(name: str, document: Document, *, clusters: bool) -> dict[str, Any]:
    text, cut = document.text, tokens(document.text, [(e.start, e.end) for e in document.entities])
    first = {start: n for n, (start, _) in enumerate(cut)}
    last = {end: n for n, (_, end) in enumerate(cut)}

    def span(e: Entity) -> dict[str, Any]:
        bounds = {"start": e.start, "end": e.end}
        return bounds | {"token_start": first[e.start], "token_end": last[e.end], "label": e.label}

    def link(head: Entity, label: str, child: Entity) -> dict[str, Any]:
        ends = {"head": last[head.end], "child": last[child.end]}
        return ends | {"label": label, "head_span": span(head), "child_span": span(child)}

    by_id = document.by_id()
    relations = [link(by_id[r.head], r.label, by_id[r.tail]) for r in document.relations]
    for cluster in document.clusters if clusters else ():
        mentions = [by_id[id_] for id_ in cluster]
        relations += [link(b, COREFERENCE, a) for a, b in pairwise(mentions)]
    return {
        "text": text,
        "tokens": [
            {"text": text[s:e], "start": s, "end": e, "id": n, "ws": text[e : e + 1] == " "}
            for n, (s, e) in enumerate(cut)
        ],
        "spans": [span(e) for e in document.entities],
        "relations": relations,
        "answer": "accept",
        "meta": {"id": name},
    }
