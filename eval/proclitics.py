"""Proclitic accuracy: were و ف ب ل ك cut off the first word of a name where, and only where, due?"""

from collections.abc import Iterable

from ..model.document import Entity
from ..model.folding import fold
from ..model.text import PROCLITICS
from .counts import Accuracy

KINDS = ("attached", "whole")


def proclitic_accuracy(text: str, gold: Iterable[Entity], predicted: Iterable[Entity]) -> dict[str, Accuracy]:
    """Judge the proclitic decision at the first word of every entity that was otherwise found.

    A gold entity poses a decision if it starts inside a word (`attached`: و in وبغداد is outside), or if it
    starts a word whose first letter is one of و ف ب ل ك (`whole`: the ب of بكين belongs to the name). It is
    judged if some predicted entity has the same label, the same end and the same first word, so that only
    the start in that word is left to be wrong; then it is correct if one of those starts where gold does.
    Entities that were not found that far are not counted here but as errors of `spans`.

    Character offsets are compared whatever the convention of the evaluation; entities without `word_start`
    are left out.

    Args:
        text: the text of both annotations.
        gold, predicted: their entities.

    Returns:
        Correct and judged decisions of each kind in `KINDS`.
    """
    starts: dict[tuple[str, int, int], set[int]] = {}
    for e in predicted:
        starts.setdefault((e.label, e.end, e.word_start), set()).add(e.start)
    correct, total = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for label, end, word_start, start in {(e.label, e.end, e.word_start, e.start) for e in gold}:
        found = starts.get((label, end, word_start))
        if word_start < 0 or not found:
            continue
        if start > word_start:
            kind = "attached"
        elif fold(text[word_start:end])[:1] in PROCLITICS:
            kind = "whole"
        else:
            continue
        total[kind] += 1
        correct[kind] += start in found
    return {kind: Accuracy(correct[kind], total[kind]) for kind in KINDS}
