"""Rewriting of gold paragraphs: other names in the same places, proclitics put on and taken off."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ..model.document import Document, Entity
from ..model.text import PROCLITICS, readable
from .edits import Edit, rewrite
from .noise import misspell

# Types whose names can stand for one another without changing what the sentence says.
REPLACEABLE = ("PERS", "ORG", "GPE", "LOC", "FAC", "PRODUCT")
# Proclitics by how often they stand before names in news.
_PROCLITICS = ("و", "ل", "ب", "ف", "ك", "ول", "وب")
_PROCLITIC_WEIGHTS = np.asarray([0.45, 0.22, 0.2, 0.05, 0.02, 0.03, 0.03])


class Augmenter:
    """Rewrites a paragraph at random; see `AugmentConfig` for the probabilities.

    Args:
        documents: training documents, whose names are the gazetteer.
        replace_mentions: probability that a mention of a replaceable type gets another name.
        proclitics: probability that a mention loses its proclitic or gets one.
        noise: probability that a word is misspelt; see `noise.misspell`.
    """

    def __init__(
        self,
        documents: Sequence[Document],
        *,
        replace_mentions: float = 0.0,
        proclitics: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        self._replace, self._proclitics, self._noise = replace_mentions, proclitics, noise
        names: dict[str, set[str]] = defaultdict(set)
        for document in documents:
            for e in document.entities:
                if e.label in REPLACEABLE and "\n" not in e.text and e.name == e.text:
                    names[e.label].add(e.text)
        self._names = {label: sorted(found) for label, found in names.items()}

    def __call__(self, document: Document, random: np.random.Generator) -> Document:
        """Return the document, rewritten or as it is."""
        edits: list[Edit] = []
        chosen: dict[tuple[str, str], str] = {}
        for entity in document.entities:
            others = [o for o in document.entities if o is not entity]
            if any(o.start < entity.end and entity.start < o.end for o in others):
                continue
            name = entity.text
            before = readable(document.text[entity.word_start : entity.start])
            if entity.label in self._names and entity.name == entity.text and random.random() < self._replace:
                # One name stays one name throughout the paragraph.
                key = (entity.label, entity.text)
                new = chosen.setdefault(key, str(random.choice(self._names[entity.label])))
                # After a proclitic lam an article is written otherwise (للعراق), so such a name does not fit.
                if not (new.startswith("ال") and before.endswith("ل")):
                    edits.append(Edit(entity.start, entity.end, new))
                    name = new
            if random.random() < self._proclitics:
                edit = self._proclitic(entity, name, before, random)
                if edit and not any(o.start < edit.end and edit.start < o.end for o in others):
                    edits.append(edit)
        changed = rewrite(document, edits)
        return misspell(changed, random, rate=self._noise) if self._noise else changed

    @staticmethod
    def _proclitic(entity: Entity, name: str, before: str, random: np.random.Generator) -> Edit | None:
        """Return the edit that takes off the proclitic `before`, or puts one on if there is none."""
        if entity.word_start < entity.start:
            # Taking the proclitic off a name whose alef it elides would leave a misspelt name.
            kept = entity.name != entity.text or not set(before) <= PROCLITICS
            return None if kept else Edit(entity.word_start, entity.start, "")
        if not "\u0621" <= name[0] <= "\u064a":
            return None
        proclitic = str(random.choice(_PROCLITICS, p=_PROCLITIC_WEIGHTS))
        if name.startswith("ال") and proclitic.endswith("ل"):
            # ل + العراق is written للعراق: the alef goes, and the span begins at its second lam. The edit
            # would have to shorten the span itself, so another proclitic stands in.
            proclitic = "ب"
        return Edit(entity.start, entity.start, proclitic)
