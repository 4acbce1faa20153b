"""Tasks of Label Studio on their way to documents; `label_studio` describes and writes them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...model.document import Document, Entity, Relation
from ...model.schema import LabelSchema
from .builder import DocumentBuilder
from .files import Faults
from .offsets import Claim, misquoted, settle
from .records import COREFERENCE, Marked, Names, add_mentions, holds_clusters, id_text, whole

TASK = 'a task: {"data": {"text": …}, "annotations": [{"result": […]}]}'
LABELS = ("labels", "hypertextlabels")
_ID_KEYS = ("document_id", "doc_id", "id")


def flat_regions(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the regions of a JSON-MIN record, which has them beside the text, or an empty list."""
    for value in record.values():
        regions = isinstance(value, list) and all(isinstance(x, dict) and "start" in x for x in value)
        if regions and value and all(any(isinstance(x.get(k), list) for k in LABELS) for x in value):
            return value
    return []


@dataclass
class Task:
    """One task on its way to a document.

    Attributes:
        task: the task as the file has it.
        line: where it begins.
        faults, notices: where faults, and what was read otherwise than written, go.
        schema: the labels and signatures to check against.
        units: what offsets may count, in the order of preference.
        text_key: where in `data` the text is; empty to find out.
    """

    task: Mapping[str, Any]
    line: int
    faults: Faults
    notices: Counter[str]
    schema: LabelSchema
    units: Sequence[str]
    text_key: str = ""

    def name(self) -> str:
        """Return what the document is to be called."""
        data = self._data()
        # JSON-MIN has what was imported beside the `id` of the task.
        for key in _ID_KEYS if data is not self.task else _ID_KEYS[:-1]:
            if id_ := id_text(data.get(key)):
                return id_
        return f"task-{self.task.get('id', self.line)}"

    def document(self, name: str) -> Document | None:
        """Return the document, or None if nobody annotated it or its faults leave nothing."""
        text = self._text(name)
        chosen = self._chosen()
        if chosen is None or text is None:
            if text is not None:
                self.notices["task that nobody annotated, left out"] += 1
            return None
        made, model = chosen
        items = made.get("result")
        if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
            self._fault(name, "'result' is no list of objects", TASK)
            return None
        mentions, lost = self._mentions(name, text, items, made.get("score") if model is not None else 1.0)
        builder = DocumentBuilder(text, self.schema, self.faults, name, self.notices)
        names = add_mentions(builder, mentions, line=self.line)
        scores = self._relations(name, items, builder, names, lost)
        document = builder.build()
        if model is None:
            return document
        of = {id_: m.score for id_, m in zip(names.ids, mentions, strict=True)}
        return _scored(document, of, scores, model)

    def _data(self) -> Mapping[str, Any]:
        data = self.task.get("data")
        return data if isinstance(data, dict) else self.task

    def _text(self, name: str) -> str | None:
        data = self._data()
        texts = [key for key, value in data.items() if isinstance(value, str) and key not in _ID_KEYS]
        key = self.text_key or ("text" if "text" in texts else texts[0] if len(texts) == 1 else "")
        if isinstance(data.get(key), str):
            return str(data[key])
        known = f"'text', or text_key, one of: {', '.join(texts)}" if texts else TASK
        self._fault(name, f"no text{f' under {key!r}' if key else ''}", known)
        return None

    def _chosen(self) -> tuple[Mapping[str, Any], str | None] | None:
        """Return the annotation to read and None, or a prediction and the name of its model."""
        if not isinstance(self.task.get("data"), dict):
            flat = [
                {"type": "labels"} | {"value": v, "id": v.get("id", f"r{n}")}
                for n, v in enumerate(flat_regions(self.task))
            ]
            return {"result": flat}, None
        made = self.task.get("annotations", self.task.get("completions"))
        kept = [a for a in made or [] if isinstance(a, dict) and not a.get("was_cancelled")]
        if kept:
            truth = [a for a in kept if a.get("ground_truth")]
            if len(kept) > 1:
                what = "the ground truth" if truth else "the first"
                self.notices[f"task with several annotations, {what} read"] += 1
            return (truth or kept)[0], None
        predictions = [p for p in self.task.get("predictions") or [] if isinstance(p, dict)]
        if made or not predictions:  # all annotations were skipped: the annotator saw the predictions
            return None
        if len(predictions) > 1:
            self.notices["task with several predictions, the first read"] += 1
        return predictions[0], str(predictions[0].get("model_version") or "unknown")

    def _mentions(
        self, name: str, text: str, items: Sequence[Mapping[str, Any]], score: Any
    ) -> tuple[list[Marked], set[str]]:
        """Return the mentions in text order, and the ids of regions that could not be read."""
        regions: list[tuple[str, Claim, list[Any], Any]] = []
        refused: set[str] = set()
        for n, item in enumerate(items):
            kind, key = item.get("type", "labels"), str(item.get("id", f"region-{n}"))
            if kind == "relation":
                continue
            value = item.get("value")
            if kind not in LABELS or not isinstance(value, dict):
                self.notices[f"result of the type {kind!r} skipped"] += 1
                continue
            labels: list[Any] = next((value[k] for k in LABELS if isinstance(value.get(k), list)), [])
            claim = _claim(value)
            if claim is None:
                refused.add(key)
                found = f"region {key} has the offsets {value.get('start')!r} to {value.get('end')!r}"
                self._fault(name, found, "whole numbers, counted in the text")
            elif not labels:
                refused.add(key)
                self.notices["region without a label skipped"] += 1
            else:
                regions.append((key, claim, labels, item.get("score", score)))
        places, unit = settle(text, [claim for _, claim, _, _ in regions], self.units)
        if unit != self.units[0] and regions:
            self.notices[f"document {name!r}: offsets are {unit}"] += 1
        mentions: list[Marked] = []
        for (key, claim, labels, own), place in zip(regions, places, strict=True):
            if place is None:
                refused.add(key)
                self._fault(name, *_nowhere(text, key, claim))
                continue
            if place.note:
                self.notices[f"document {name!r}: region {key}, {claim.quote!r}, {place.note}"] += 1
            marks = [Marked(key, place.start, place.end, str(label), _score(own)) for label in labels]
            mentions += marks
        return sorted(mentions, key=lambda m: (m.start, -m.end)), refused

    def _relations(
        self,
        name: str,
        items: Sequence[Mapping[str, Any]],
        builder: DocumentBuilder,
        names: Names,
        refused: set[str],
    ) -> dict[tuple[str, str, str], float]:
        """Add relations and groups, and return the scores of the relations, in either direction."""
        scores: dict[tuple[str, str, str], float] = {}
        for item in items:
            if item.get("type") != "relation":
                continue
            ends = [str(item.get("from_id")), str(item.get("to_id"))]
            if refused.intersection(ends) - set(names.first):
                self.notices["relation of a region that was skipped, skipped too"] += 1
                continue
            head, tail = (names.first.get(end, end) for end in ends)
            labels = item.get("labels")
            if not isinstance(labels, list) or not labels:
                self.notices["relation without a label skipped"] += 1
                continue
            direction = item.get("direction", "right")
            pairs = [(head, tail)] if direction != "left" else [(tail, head)]
            pairs += [(tail, head)] if direction == "bi" else []
            for label in map(str, labels):
                if label == COREFERENCE and holds_clusters(self.schema):
                    builder.group((head, tail), line=self.line)
                    continue
                for a, b in pairs:
                    builder.relate(a, label, b, line=self.line, shown=f"{name}: {a} {label} {b}")
                    scores[a, label, b] = _score(item.get("score"))
                    scores.setdefault((b, label, a), scores[a, label, b])  # a symmetric one may be turned
        return scores

    def _fault(self, name: str, found: str, accepted: str) -> None:
        self.faults.add(f"document {name!r}: {found}", line=self.line, accepted=accepted)


def _claim(value: Mapping[str, Any]) -> Claim | None:
    whole_text = value.get("globalOffsets")
    offsets = whole_text if isinstance(whole_text, dict) else value
    start, end = offsets.get("start"), offsets.get("end")
    quote = value.get("text")
    if not whole(start) or not whole(end):
        return None
    return Claim(start, end, quote if isinstance(quote, str) else None)


def _nowhere(text: str, key: str, claim: Claim) -> tuple[str, str]:
    if claim.quote is None:
        found = f"spans {claim.start} to {claim.end}"
        accepted = f"offsets inside the text, which has {len(text)} code points"
    else:
        found, accepted = misquoted(text, claim)
    return f"region {key} {found}", accepted


def _score(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else 1.0


def _scored(
    document: Document, mentions: Mapping[str, float], links: Mapping[tuple[str, str, str], float], model: str
) -> Document:
    entities: list[Entity] = [replace(e, score=mentions.get(e.id, 1.0)) for e in document.entities]
    relations: list[Relation] = [
        replace(r, score=links.get((r.head, r.label, r.tail), 1.0)) for r in document.relations
    ]
    return replace(document, entities=tuple(entities), relations=tuple(relations), model=model)
