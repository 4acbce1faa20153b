"""What is known of names: from the data that is checked, and from the annotated texts of isnad itself."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from ....model.document import Document
from ....model.errors import DataError
from ....model.folding import fold
from ....model.schema import LabelSchema
from ....model.text import PROCLITICS
from .part import Line, View

# Given names that begin with a letter that may be a proclitic. Without that letter many of them are names or
# words too (بسام and سام), so that counting alone could take one for the other.
GIVEN_NAMES = frozenset(
    fold(name)
    for name in (
        "وليد وسام وسيم وائل وفاء ولاء وداد وحيد وجدي وجيه وردة وهيب وهبي واصف وديع وصفي وعد وفيق وضاح ورد "
        "بسام بشار بشير بلال باسل باسم بدر بكر بهاء بهجت بتول بسمة بديع برهان بركات بطرس بولس بدران بندر بشرى بنان "
        "فهد فارس فاروق فاطمة فادي فراس فؤاد فيصل فريد فريدة فرح فرج فوزي فتحي فايز فائز فداء فاضل فاتن فلاح فهمي فكري "
        "كريم كريمة كمال كرم كامل كاظم كنان كرار كوثر كفاح كارم كاميليا كلثوم "
        "لحسن لخضر لمين لكحل لينا لؤي ليث ليلى لبنى لمى لمياء لطفي لطيفة ليان لجين لقمان لورين لارا واحد واحدة"
    ).split()
)

# A word after one of these begins with its own first letter: no proclitic follows a preposition or stands within
# a construct. على is left out, which is the name علي when it is folded.
_BEFORE_NAMES = frozenset(
    map(fold, "في من إلى عن حتى مع ضد قرب عبر لدى داخل خارج مدينة بلدة قرية محافظة ولاية".split())
)


class Evidence:
    """Names and words of the checked data and of trusted texts.

    Args:
        views: the data that is checked.
        reference: documents whose annotation is trusted; those with a text of the data are left out, so that
            data does not vouch for itself.
    """

    def __init__(self, views: Iterable[View], reference: Sequence[Document] = ()) -> None:
        views = list(views)
        own = {view.document.text for view in views}
        trusted = [View(document, "") for document in reference if document.text not in own]
        self.names: dict[str, Counter[str]] = defaultdict(Counter)
        self.firsts: dict[str, Counter[str]] = defaultdict(Counter)
        self.words: Counter[str] = Counter()
        self._whole: set[str] = set(GIVEN_NAMES)
        for view in (*views, *trusted):
            self._read(view, trusted=view.split == "")

    def _read(self, view: View, *, trusted: bool) -> None:
        for line in view.lines:
            self.words.update(line.keys)
            self._whole.update(self._after_prepositions(view.document.text, line))
        for entity, key in zip(view.document.entities, view.keys, strict=True):
            self.names[entity.label][key] += 1
            first, _, rest = key.partition(" ")
            self.firsts[entity.label][first] += 1
            if trusted or 0 <= entity.word_start < entity.start:
                # After a proclitic that was left outside, what follows is the name itself.
                self._whole.add(first)
            if entity.label == "PERS" or trusted:
                # Inside the name of a person no proclitic stands before a word; elsewhere it may (الشيوخ والنواب).
                self._whole.update(rest.split() if entity.label == "PERS" else ())

    @staticmethod
    def _after_prepositions(text: str, line: Line) -> Iterator[str]:
        for n, (before, word) in enumerate(pairwise(line.keys)):
            between = text[line.words[n][1] : line.words[n + 1][0]]
            if word[0] in PROCLITICS and before in _BEFORE_NAMES and between.isspace():
                yield word

    def is_whole(self, word: str) -> bool:
        """Whether a folded word is known to begin a name with its own first letter."""
        return word in self._whole


@cache
def trusted_documents() -> tuple[Document, ...]:
    """Return the annotated texts of the repository; none in an installation without them."""
    from ..seeds import load_articles, load_authored

    schemas = Path(__file__).resolve().parents[3] / "configs" / "schemas"
    try:
        schema = LabelSchema.from_yaml(schemas / "wojood.yaml")
        return (*load_articles(schema), *load_authored(schema, "all"))
    except DataError:
        return ()
