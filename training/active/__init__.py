"""The annotation loop: which texts are worth annotating, and what the model already says about them.

`select` chooses from a stream of any length; `annotate` gives documents that `training.data` writes for an
annotation tool. What comes back from the tool is read as any other annotation.
"""

from .annotate import annotate, cut, fit
from .criteria import Chance, Criterion, Similar, Uncertain
from .diversity import spread
from .labels import build_criteria
from .notes import add_notes
from .select import Choice, Selection, Settings, select
from .similarity import LabelMatcher
from .uncertainty import FLOOR, doubts, gain, thresholds
from .units import Passage, Unit, read_passages, read_texts, sentences
from .vectors import PieceVectors

__all__ = [
    "FLOOR",
    "Chance",
    "Choice",
    "Criterion",
    "LabelMatcher",
    "Passage",
    "PieceVectors",
    "Selection",
    "Settings",
    "Similar",
    "Uncertain",
    "Unit",
    "add_notes",
    "annotate",
    "build_criteria",
    "cut",
    "doubts",
    "fit",
    "gain",
    "read_passages",
    "read_texts",
    "select",
    "sentences",
    "spread",
    "thresholds",
]
