"""Sentences to choose from, and what a model might find in a text that is to be annotated."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from isnad.model.document import Document, Relation, number_clusters
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.active import Passage, PieceVectors, Unit


@pytest.fixture(scope="session")
def topics() -> tuple[str, ...]:
    """Eight sentences on as many subjects."""
    return (
        "فاز المنتخب بالمباراة النهائية أمام جمهور كبير في الملعب",
        "هطلت أمطار غزيرة على السواحل وتوقفت حركة السير ساعات",
        "أعلن البنك المركزي رفع سعر الفائدة نصف نقطة مئوية",
        "افتتح المتحف الجديد معرضا للوحات الرسامين الشباب",
        "وصل الوزير إلى بيروت والتقى قادة الأحزاب في البرلمان",
        "أطلقت الوكالة قمرا صناعيا لمراقبة المحاصيل الزراعية",
        "اكتشف الأطباء علاجا جديدا لمرض نادر يصيب الأطفال",
        "توقفت المدارس عن استقبال الطلاب بسبب إضراب المعلمين",
    )


@pytest.fixture(scope="session")
def stream() -> Callable[[Iterable[str]], Iterator[Passage]]:
    """Makes passages of one source out of texts."""

    def passages(texts: Iterable[str]) -> Iterator[Passage]:
        for number, text in enumerate(texts, 1):
            yield Passage("news", text, 0, number)

    return passages


@pytest.fixture(scope="session")
def unit() -> Callable[..., Unit]:
    """Makes a unit that is a whole text: `unit(text, name)`."""

    def make(text: str, name: str = "u") -> Unit:
        return Unit(name, text, "source", 0, len(text))

    return make


@pytest.fixture(scope="session")
def vectors() -> PieceVectors:
    """The vectors of the embedded model."""
    return PieceVectors.from_pretrained()


@pytest.fixture(scope="session")
def predicted(schema: LabelSchema) -> Document:
    """What a model might find in a text: two names of one man, two places, a relation, an error."""
    text = "🇱🇧 التقى حَسَن نصـــر الله قاآني بصاروخٍ ١٢ مرة.\r\nثم سافر نصرالله إلى بيروت 😀 ولبنان."
    found = (
        *(("حَسَن نصـــر الله", "PERS", 0.93), ("قاآني", "ORG", 0.41), ("نصرالله", "PERS", 0.88)),
        *(("بيروت", "GPE", 0.97), ("لبنان", "GPE", 0.9)),
    )
    entities = [
        make_entity(text, text.index(w), text.index(w) + len(w), label, id=f"T{n}", score=score)
        for n, (w, label, score) in enumerate(found, 1)
    ]
    numbered, clusters = number_clusters(entities, [["T1", "T3"]])
    stamp = {"name": schema.name, "version": schema.version, "hash": schema.hash}
    return Document(
        text, numbered, (Relation("T3", "visited", "T4", 0.77),), clusters, "خبر", stamp, "fake-1"
    )
