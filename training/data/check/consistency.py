"""One name under several labels, and clusters whose mentions have several labels."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ....model.document import Entity
from .findings import Finding, Severity, at
from .part import View, has_letters

# A label that has at least this share of at least this many mentions of a name makes the others look like slips.
SKEWED_SHARE, SKEWED_MENTIONS = 0.9, 10
# From this many mentions on a name whose labels are less skewed is noted too. A single word may be two names
# (رمضان is a month and a person), a phrase hardly.
_MENTIONS, _MENTIONS_OF_PHRASE = 6, 3
_MENTIONS_OF_PAIR = 4
_SHOWN = 3


def _pairs(listed: str) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair.split()) for pair in listed.split(","))


# Pairs of which either can be right for one name: a capital for its government, a company for its product, a
# place for the body in it, a group for its party.
_AMBIGUOUS = _pairs(
    "GPE ORG,GPE LOC,GPE FAC,GPE NORP,LOC FAC,LOC ORG,LOC NORP,ORG FAC,ORG NORP,ORG PRODUCT,ORG WEBSITE,ORG EVENT,"
    "ORG LAW,PRODUCT WEBSITE,PRODUCT EVENT,PRODUCT FAC,EVENT LAW,EVENT DATE,DATE TIME,DATE CARDINAL,DATE ORDINAL,"
    "DATE QUANTITY,CARDINAL ORDINAL,CARDINAL QUANTITY,UNIT QUANTITY,CURR MONEY,UNIT DATE,UNIT CURR,NORP LANGUAGE,"
    "OCC ORG,OCC NORP,TIME QUANTITY"
)
# Pairs of which a single word can be both: family names are titles (الشيخ), places and parties too (أمل, صلالة).
_HOMOGRAPHS = _pairs("PERS OCC,PERS GPE,PERS ORG,PERS LOC,PERS PRODUCT,PERS DATE")

Mention = tuple[View, Entity]


def label_conflicts(views: Sequence[View]) -> Iterator[Finding]:
    """Yield names whose mentions have several labels.

    Names are compared folded; mentions inside another entity are compared with such mentions only, because
    nesting changes what a name stands for (a country inside the name of its government). A place that has both
    labels is no conflict. Severity: a warning for every mention of a label that is rare against a majority of
    `SKEWED_SHARE` in `SKEWED_MENTIONS`; else one note a name. Names under two labels that are known to be
    ambiguous are one note for each pair of labels, and one more where a mention stands alone against many.
    """
    groups: dict[tuple[str, bool], list[Mention]] = defaultdict(list)
    for view in views:
        for entity, key, nested in zip(view.document.entities, view.keys, view.nested, strict=True):
            if has_letters(key):
                groups[key, nested].append((view, entity))
    known: dict[frozenset[str], dict[str, Counter[str]]] = defaultdict(dict)
    for (key, _), group in groups.items():
        if len({e.label for _, e in group}) > 1:
            conflict = _Conflict(key, _single(group))
            yield from conflict.slips()
            yield from conflict.doubts()
            for pair in conflict.known if len(group) >= _MENTIONS_OF_PAIR else ():
                known[pair][key] = conflict.labels
    for pair, names in known.items():
        if len(names) > 1:
            yield _ambiguity(pair, names)


def _single(mentions: Sequence[Mention]) -> list[Mention]:
    """Return the mentions whose span has one label."""
    places = Counter((id(view), e.start, e.end) for view, e in mentions)
    return [(view, e) for view, e in mentions if places[id(view), e.start, e.end] == 1]


class _Conflict:
    """The mentions of one name.

    Attributes:
        labels: how often it has each label.
        known: pairs of the most frequent label and another of which either may be right.
    """

    def __init__(self, key: str, mentions: Sequence[Mention]) -> None:
        self._key, self._mentions = key, mentions
        self.labels = Counter(e.label for _, e in mentions)
        self._ordered = self.labels.most_common()
        self._total = len(mentions)
        both = _AMBIGUOUS if " " in key else _AMBIGUOUS | _HOMOGRAPHS
        pairs = {label: frozenset((self._ordered[0][0], label)) for label, _ in self._ordered[1:]}
        self.known = [pair for pair in pairs.values() if pair in both and pair not in _HOMOGRAPHS]
        self._unknown = [label for label, pair in pairs.items() if pair not in both]

    def slips(self) -> Iterator[Finding]:
        """Yield a warning for each mention whose label is rare against a strong majority."""
        if not self._skewed():
            return
        major, most = self._ordered[0]
        for view, entity in self._mentions:
            if entity.label in self._unknown:
                message = f"{entity.label} here, but {major} in {most} of {self._total} places"
                yield _place(Severity.WARNING, message, view, entity, f"{major}, if the same is meant")

    def doubts(self) -> Iterator[Finding]:
        """Yield a note if no label is right without doubt, or if an ambiguous one stands alone."""
        least = _MENTIONS_OF_PHRASE if " " in self._key else _MENTIONS
        if self._total < least or len(self.labels) < 2:
            return
        (_, most), *others = self._ordered
        open_labels = [label for label, _ in others if label in self._unknown and not self._skewed()]
        alone = [label for label, n in others if n == 1 and label not in self._unknown]
        doubtful = open_labels or (alone if most >= SKEWED_MENTIONS else [])
        if not doubtful:
            return
        spread = ", ".join(f"{label} {n}" for label, n in self._ordered)
        places = [(view, e) for view, e in self._mentions if e.label == doubtful[-1]]
        shown = ", ".join(f"{v.document.id} at {e.start}" for v, e in places[:_SHOWN])
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        message = f"«{self._key}» is {spread}; {doubtful[-1]} in {shown}{more}"
        yield _place(Severity.NOTE, message, *places[0])

    def _skewed(self) -> bool:
        return self._total >= SKEWED_MENTIONS and self._ordered[0][1] >= SKEWED_SHARE * self._total


def _ambiguity(pair: frozenset[str], names: Mapping[str, Counter[str]]) -> Finding:
    """Return one note for all names that stand under two labels of which either may be right."""
    a, b = sorted(pair)
    frequent = sorted(names, key=lambda key: -names[key].total())[:_SHOWN]
    shown = ", ".join(f"«{key}» {names[key][a]} and {names[key][b]}" for key in frequent)
    what = "1 name is" if len(names) == 1 else f"{len(names)} names are"
    message = f"{what} both {a} and {b}: {shown}{' …' if len(names) > _SHOWN else ''}"
    advice = "fine where the meaning changes from place to place"
    return Finding(Severity.NOTE, "label_conflict", message, suggestion=advice)


def _place(severity: Severity, message: str, view: View, entity: Entity, suggestion: str = "") -> Finding:
    return at(
        severity,
        "label_conflict",
        message,
        view.document,
        entity.start,
        entity.end,
        split=view.split,
        label=entity.label,
        suggestion=suggestion,
    )


def mixed_clusters(view: View) -> Iterator[Finding]:
    """Yield coreference clusters whose mentions have several labels."""
    by_id = view.document.by_id()
    for cluster in view.document.clusters:
        members = [by_id[id_] for id_ in cluster]
        labels = Counter(e.label for e in members)
        if len(labels) > 1:
            odd = next(e for e in members if e.label == labels.most_common()[-1][0])
            spread = ", ".join(f"{label} {n}" for label, n in labels.most_common())
            yield at(
                Severity.NOTE,
                "mixed_cluster",
                f"its {len(members)} mentions are {spread}",
                view.document,
                odd.start,
                odd.end,
                split=view.split,
                label=odd.label,
            )
