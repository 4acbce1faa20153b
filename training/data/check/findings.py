"""What a check of annotated data finds: findings, and the report that holds them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ....model.document import Document
from .kinds import KINDS

# Version of the JSON layout of `Report.to_dict`.
FORMAT_VERSION = 1
# Code points of the text that are kept on either side of a quoted place.
_CONTEXT = 48


class Severity(StrEnum):
    """How much a finding weighs.

    An error makes training or measuring wrong; a warning very probably is a mistake; a note is worth a look.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: how much it weighs.
        kind: a key of `KINDS`.
        message: what was found, in one sentence.
        split: the part it is in, `train` or `dev`; "" if it is about both.
        document: id of the document, or the file; "" if it is about a whole part.
        start, end: code points of the document's text, end exclusive; -1 if it is about no place.
        text: what the place holds.
        before, after: text around the place, within its line.
        label: the label it is about, if any.
        suggestion: what to do or write instead; "" if that is up to the reader.
    """

    severity: Severity
    kind: str
    message: str
    split: str = ""
    document: str = ""
    start: int = -1
    end: int = -1
    text: str = ""
    before: str = ""
    after: str = ""
    label: str = ""
    suggestion: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of finding {self.kind!r}; known: {', '.join(KINDS)}")


def at(
    severity: Severity,
    kind: str,
    message: str,
    document: Document,
    start: int,
    end: int,
    *,
    split: str = "",
    label: str = "",
    suggestion: str = "",
) -> Finding:
    """Return a finding about a place of a document, quoted with the text around it in its line."""
    text = document.text
    left = text.rfind("\n", max(0, start - _CONTEXT), start) + 1 or max(0, start - _CONTEXT)
    right = text.find("\n", end, end + _CONTEXT)
    right = right if right >= 0 else min(len(text), end + _CONTEXT)
    # Whole words: half a word at the edge of a quotation reads as a mistake.
    if left and text[left - 1] != "\n":
        left = min(max(text.find(" ", left, start) + 1, left), start)
    if right < len(text) and text[right] != "\n":
        right = max(text.rfind(" ", end, right), end) if " " in text[end:right] else right
    return Finding(
        severity=severity,
        kind=kind,
        message=message,
        split=split,
        document=document.id,
        start=start,
        end=end,
        text=text[start:end],
        before=text[left:start],
        after=text[end:right],
        label=label,
        suggestion=suggestion,
    )


@dataclass(frozen=True, slots=True)
class LabelRow:
    """How often one label occurs.

    Attributes:
        kind: `entity` or `relation`.
        label: its name.
        counts: split -> number of mentions or relations.
        names: split -> number of different names; empty for relations.
    """

    kind: str
    label: str
    counts: Mapping[str, int]
    names: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the labels of the development data are from those of the training data.

    Attributes:
        kind: `entity` or `relation`.
        divergence: Jensen-Shannon divergence of the two distributions, 0 (alike) to 1 bit.
        p_value: of a divergence at least this large if documents had been dealt out by chance.
        shares: label -> (share of training, share of development), those that differ most first.
        meaning: the same in plain words.
    """

    kind: str
    divergence: float
    p_value: float
    shares: Mapping[str, tuple[float, float]]
    meaning: str


@dataclass(frozen=True)
class Report:
    """Everything that a check found.

    Attributes:
        sources: split -> what was read, as it was named.
        schema: name of the label schema.
        totals: split -> what -> number: documents, words, entities, ….
        labels: counts of every label of the schema.
        drift: comparisons of the splits' labels.
        findings: in the order of `KINDS`, heavier first.
        remarks: what was not checked and why, and what the checks were made with.
    """

    sources: Mapping[str, str]
    schema: str
    totals: Mapping[str, Mapping[str, int]]
    labels: Sequence[LabelRow]
    drift: Sequence[Drift]
    findings: Sequence[Finding]
    remarks: Sequence[str] = ()

    def counts(self) -> dict[str, int]:
        """Return the number of findings of each severity."""
        found = Counter(f.severity for f in self.findings)
        return {severity.value: found[severity] for severity in Severity}

    def by_kind(self) -> dict[str, list[Finding]]:
        """Return the findings of each kind that has any, in the order of `KINDS`."""
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.kind, []).append(finding)
        return groups

    def exit_code(self, *, strict: bool = False) -> int:
        """Return 2 if a file could not be read, 1 with errors (with warnings too if `strict`), else 0."""
        if any(f.kind == "unreadable" for f in self.findings):
            return 2
        counts = self.counts()
        return int(counts[Severity.ERROR] > 0 or (strict and counts[Severity.WARNING] > 0))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; places are code points of the document's text."""
        return {
            "format_version": FORMAT_VERSION,
            "sources": dict(self.sources),
            "schema": self.schema,
            "counts": self.counts(),
            "totals": {split: dict(rows) for split, rows in self.totals.items()},
            "labels": [asdict(row) for row in self.labels],
            "drift": [asdict(drift) for drift in self.drift],
            "findings": [asdict(finding) for finding in self.findings],
            "remarks": list(self.remarks),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON text; Arabic is written as it is, a lone surrogate as an escape."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            text = json.dumps(self.to_dict(), ensure_ascii=True, indent=2)
        return text


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of `KINDS`; within a kind the heavier first, then as they came."""
    kinds = {kind: n for n, kind in enumerate(KINDS)}
    weights = {severity: n for n, severity in enumerate(Severity)}
    return tuple(sorted(findings, key=lambda f: (kinds[f.kind], weights[f.severity])))
