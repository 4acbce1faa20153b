"""Choosing what to annotate: units of a stream, near-duplicates, uncertainty, diversity, unknown labels."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from isnad.model.document import Document, Relation
from isnad.model.errors import ConfigError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.active import (
    LabelMatcher,
    Passage,
    PieceVectors,
    Settings,
    Similar,
    Uncertain,
    Unit,
    build_criteria,
    doubts,
    gain,
    select,
    spread,
)
from isnad.training.active.criteria import Chance
from isnad.training.active.labels import parse_examples
from isnad.training.active.similarity import readings
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]
TOPICS = (
    "فاز المنتخب بالمباراة النهائية أمام جمهور كبير في الملعب",
    "هطلت أمطار غزيرة على السواحل وتوقفت حركة السير ساعات",
    "أعلن البنك المركزي رفع سعر الفائدة نصف نقطة مئوية",
    "افتتح المتحف الجديد معرضا للوحات الرسامين الشباب",
    "وصل الوزير إلى بيروت والتقى قادة الأحزاب في البرلمان",
    "أطلقت الوكالة قمرا صناعيا لمراقبة المحاصيل الزراعية",
    "اكتشف الأطباء علاجا جديدا لمرض نادر يصيب الأطفال",
    "توقفت المدارس عن استقبال الطلاب بسبب إضراب المعلمين",
)


def unit(text: str, name: str = "u") -> Unit:
    return Unit(name, text, "source", 0, len(text))


def stream(texts: Iterable[str]) -> Iterator[Passage]:
    for number, text in enumerate(texts, 1):
        yield Passage("news", text, 0, number)


class FakeReader:
    """Finds what it was told to, in texts that hold a key; and notes how many texts it was given at a time."""

    def __init__(self, told: dict[str, list[tuple[str, str, float]]]) -> None:
        self.told, self.batches = told, []

    def pipe(self, texts: Iterable[tuple[str, str]], *, batch_size: int = 32) -> Iterator[Document]:
        items = list(texts)
        self.batches.append(len(items))
        for name, text in items:
            found = [f for key, all_ in self.told.items() if key in text for f in all_ if f[0] in text]
            entities = [
                make_entity(
                    text, text.index(word), text.index(word) + len(word), label, id=f"T{n}", score=score
                )
                for n, (word, label, score) in enumerate(found, 1)
            ]
            yield Document(
                text, tuple(sorted(entities, key=lambda e: (e.start, -e.end))), id=name, model="fake"
            )


class Letters:
    """A tokenizer whose pieces are letters; enough for vectors that tell texts apart."""

    unk_token_id = 0

    def __call__(self, texts: str | list[str], *, add_special_tokens: bool) -> dict[str, object]:
        if isinstance(texts, str):
            return {"input_ids": [ord(c) % 97 + 1 for c in texts.strip()]}
        return {"input_ids": [[ord(c) % 97 + 1 for c in text.strip()] for text in texts]}


def letters_as_vectors() -> PieceVectors:
    table = np.random.default_rng(8).normal(size=(98, 24)).astype(np.float32)
    return PieceVectors(Letters(), table)


LIMITS = {"PERS": 0.5, "GPE": 0.3, "visited": 0.4}


class TestUncertainty:
    def document(self) -> Document:
        text = "زار قاآني بغداد. ثم عاد سليم إلى بيروت."
        found = (
            ("قاآني", "PERS", 0.9),
            ("بغداد", "GPE", 0.35),
            ("سليم", "PERS", 0.2),
            ("بيروت", "GPE", 0.05),
        )
        entities = [
            make_entity(text, text.index(w), text.index(w) + len(w), label, id=f"T{n}", score=p)
            for n, (w, label, p) in enumerate(found, 1)
        ]
        return Document(text, tuple(entities), (Relation("T1", "visited", "T2", 0.38),))

    def test_expected_errors_by_hand(self) -> None:
        # قاآني is reported, wrong with 0.1; بغداد is reported at 0.35 >= 0.3, wrong with 0.65; سليم is left out,
        # wrong with 0.2; بيروت is left out, wrong with 0.05; the relation is left out, wrong with 0.38.
        found = doubts(self.document(), LIMITS, {"PERS", "GPE"})
        assert [d.text for d in found] == ["بغداد", "سليم", "قاآني", "بيروت"]
        assert [d.wrong for d in found] == pytest.approx([0.65, 0.2, 0.1, 0.05])
        both = doubts(self.document(), LIMITS, {"PERS", "GPE", "visited"})
        assert sum(d.wrong for d in both) == pytest.approx(1.38)
        assert both[1].text == "قاآني → بغداد"

    def test_a_part_of_a_document(self) -> None:
        document = self.document()
        second = document.text.index("ثم")
        assert [d.text for d in doubts(document, LIMITS, {"PERS"}, 0, second)] == ["قاآني"]
        assert [d.text for d in doubts(document, LIMITS, {"PERS", "visited"}, second)] == ["سليم"]

    def test_gain_favours_neither_fragments_nor_long_sentences(self) -> None:
        assert gain(0.5, 2) < gain(1.5, 20), "a fragment of two words with half an error"
        assert gain(2.0, 90) < gain(1.5, 20), "a long sentence with a few more errors"


class TestSpread:
    def clusters(self) -> np.ndarray:
        random = np.random.default_rng(3)
        centres = np.eye(4)[[0] * 40 + [1] * 40 + [2] * 5]
        made = centres + random.normal(scale=0.02, size=centres.shape)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    def test_one_of_each_kind(self) -> None:
        vectors = self.clusters()
        for seed in range(10):
            chosen = spread(vectors, np.ones(len(vectors)), 3, seed=seed)
            assert {n // 40 for n in chosen} == {0, 1, 2}

    def test_what_is_covered_is_not_chosen_again(self) -> None:
        vectors = self.clusters()
        chosen = spread(
            vectors, np.ones(len(vectors)), 1, seed=1, centres=np.eye(4, dtype=np.float32)[[0, 2]]
        )
        assert 40 <= chosen[0] < 80

    def test_weights_count(self) -> None:
        vectors = self.clusters()
        weights = np.zeros(len(vectors))
        weights[[3, 50]] = 1.0
        assert set(spread(vectors, weights, 2, seed=1)) == {3, 50}
        # More than there is weight for: filled up, each row once.
        assert sorted(spread(vectors, weights, 85, seed=1)) == list(range(85))
        assert len(spread(vectors, weights, 100, seed=1)) == 85

    def test_the_same_seed_gives_the_same_choice(self) -> None:
        vectors, weights = self.clusters(), np.linspace(0.1, 1, 85)
        assert spread(vectors, weights, 10, seed=5) == spread(vectors, weights, 10, seed=5)
        assert len({tuple(spread(vectors, weights, 10, seed=s)) for s in range(5)}) > 1


def settings(**values: object) -> Settings:
    return Settings(**({"count": 4, "shortest": 3} | values))  # type: ignore[arg-type]


class TestSelect:
    def hand_made(self) -> tuple[list[str], FakeReader, set[str]]:
        """Forty sentences with a place; of five the model is unsure, three of those are nearly one sentence."""
        places = "عدن مسقط صور جدة دمشق تونس سبها جنين".split()
        texts = [f"{topic} كما أفاد مراسلنا من {place}" for topic in TOPICS for place in places[:5]]
        unsure = [
            "غادر سائق يدعى ناجي حي الميدان صباح أمس",
            "تسلم شيخ قبيلة عوف جائزة من رابطة الكتاب",
            "يوقع شاكر كتابه عن مضيق تيران مساء غد",
            "يوقع شاكر كتابه عن مضيق تيران مساء غدٍ.",
            "يوقّع شاكر كتابه عن مضيق تيران مساءَ غد",
        ]
        told = {p: [(p, "GPE", 0.98)] for p in places}
        told |= {"ناجي": [("ناجي", "PERS", 0.5), ("الميدان", "LOC", 0.4)], "عوف": [("عوف", "PERS", 0.45)]}
        told |= {"شاكر": [("شاكر", "PERS", 0.55), ("مضيق تيران", "LOC", 0.5)]}
        order = np.random.default_rng(4).permutation(len(texts) + len(unsure))
        mixed = [[*texts, *unsure][n] for n in order]
        return mixed, FakeReader(told), set(unsure)

    def test_the_uncertain_ones_are_chosen(self) -> None:
        texts, reader, unsure = self.hand_made()
        limits = dict.fromkeys(("PERS", "LOC", "GPE"), 0.5)
        criteria = [Uncertain(limits, frozenset(limits))]
        found = select(stream(texts), criteria, settings(count=3, by="uncertainty"), reader=reader)
        chosen = [c.unit.text for c in found.choices]
        assert set(chosen) <= unsure and len({t[:8] for t in chosen}) == 3
        assert found.counts["near-duplicates"] >= 2 and found.counts["units"] == 45
        assert [c.score for c in found.choices] == sorted((c.score for c in found.choices), reverse=True)
        best = found.choices[0]
        expected = sum(d["wrong"] for d in best.detail["decisions"])
        assert best.detail["expected_errors"] == pytest.approx(expected, abs=1e-3)
        assert best.score == pytest.approx(gain(expected, len(best.unit.text.split())), abs=1e-4)
        # A sample by chance finds few of five among forty-five.
        blind = select(
            stream(texts),
            [Chance(1)],
            settings(count=3, by="diversity", pool=3),
            vectors=letters_as_vectors(),
        )
        assert len({c.unit.text for c in blind.choices} & unsure) < 3

    def test_only_the_labels_asked_for_count(self) -> None:
        texts, reader, _ = self.hand_made()
        limits = dict.fromkeys(("PERS", "LOC", "GPE"), 0.5)
        criteria = [Uncertain(limits, frozenset({"LOC"}))]
        found = select(stream(texts), criteria, settings(count=9, by="uncertainty"), reader=reader)
        assert len(found.choices) == 2
        assert {d["label"] for c in found.choices for d in c.detail["decisions"]} == {"LOC"}

    def test_what_is_known_is_left_out(self) -> None:
        texts, reader, _ = self.hand_made()
        limits = dict.fromkeys(("PERS", "LOC", "GPE"), 0.5)
        found = select(
            stream(texts),
            [Uncertain(limits, frozenset(limits))],
            settings(count=2, by="uncertainty"),
            reader=reader,
            known=["غادر سائق يدعى ناجى حىّ الميدان صباح أمس"],
        )
        assert all("ناجي" not in c.unit.text for c in found.choices)
        assert found.counts["annotated already"] == 1

    def test_both_takes_uncertain_ones_that_differ(self) -> None:
        """Six unsure sentences on football, a little surer one on a cure: a choice of two takes one of each."""
        football = [
            "سجل سليم هدف الفوز في الدقيقة الأخيرة",
            "يغيب كريم عن مباراة الديربي بسبب الإصابة",
            "تصدى الحارس نعيم لركلة جزاء في الشوط الثاني",
            "انتقل رحيم إلى صفوف النادي مقابل مبلغ كبير",
            "المدرب فهيم يستبعد المهاجم من تشكيلة المنتخب",
            "توج حليم بلقب هداف الدوري للمرة الثالثة",
        ]
        cure = "أثبت عظيم أن الدواء الجديد يشفي المرضى من الالتهاب"
        names = ("سليم", "كريم", "نعيم", "رحيم", "فهيم", "حليم")
        reader = FakeReader({n: [(n, "PERS", 0.5)] for n in names} | {"عظيم": [("عظيم", "PERS", 0.56)]})
        criteria = [Uncertain({"PERS": 0.5}, frozenset({"PERS"}))]
        of_a_cure = set(cure.split()) - {"عظيم"}

        class Topics(Letters):
            """Words have one of two meanings."""

            def __call__(self, texts: str | list[str], *, add_special_tokens: bool) -> dict[str, object]:
                assert not isinstance(texts, str)
                return {"input_ids": [[2 if text.strip() in of_a_cure else 1] for text in texts]}

        vectors = PieceVectors(Topics(), np.eye(3, dtype=np.float32))

        def chosen(by: str, seed: int) -> list[str]:
            wanted = settings(count=2, by=by, seed=seed)
            found = select(stream([*football, cure]), criteria, wanted, reader=reader, vectors=vectors)
            return [c.unit.text for c in found.choices]

        assert cure not in chosen("uncertainty", 1)
        assert all(cure in chosen("both", seed) for seed in range(1, 11))

    def test_memory_is_bounded(self) -> None:
        """A stream of 3,000 passages: a batch at a time is read, and no more than the pool is kept."""
        produced = 0

        def passages() -> Iterator[Passage]:
            nonlocal produced
            random = np.random.default_rng(7)
            words = [w for topic in TOPICS for w in topic.split()]
            for n in range(3000):
                produced += 1
                yield Passage("news", " ".join(random.choice(words, 12)), 0, n + 1)

        class Counting(FakeReader):
            def pipe(self, texts: Iterable[tuple[str, str]], *, batch_size: int = 32) -> Iterator[Document]:
                items = list(texts)
                assert produced - sum(self.batches) <= batch_size, "read ahead of what is scored"
                yield from super().pipe(items, batch_size=batch_size)

        reader = Counting({w: [(w, "GPE", 0.5)] for w in ("بيروت", "الوزير", "سعر")})
        found = select(
            passages(),
            [Uncertain({"GPE": 0.5}, frozenset({"GPE"}))],
            settings(by="uncertainty", pool=40),
            reader=reader,
        )
        assert produced == 3000 == sum(reader.batches) and max(reader.batches) <= 32
        assert found.peak <= 2 * 40 + 17
        assert len(found.choices) == 4

    def test_what_is_no_sentence_is_counted(self) -> None:
        texts = ["نعم", "a list of Latin words only", "كلمة " * 101, *TOPICS]
        found = select(stream(texts), [Chance(1)], settings(by="diversity"), vectors=letters_as_vectors())
        counts = found.counts
        assert (counts["too short"], counts["not Arabic"], counts["too long"], counts["units"]) == (
            1,
            1,
            1,
            8,
        )
        assert {c.unit.text for c in found.choices} <= set(TOPICS) and len(found.choices) == 4

    def test_the_sample_does_not_depend_on_the_order(self) -> None:
        def run(texts: Iterable[str], seed: int) -> list[str]:
            criteria = [Chance(seed)]
            found = select(
                stream(texts),
                criteria,
                settings(by="diversity", seed=seed, pool=4),
                vectors=letters_as_vectors(),
            )
            return sorted(c.unit.text for c in found.choices)

        assert run(TOPICS, 1) == run(TOPICS[::-1], 1)
        assert len({tuple(run(TOPICS, seed)) for seed in range(6)}) > 1

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"by": "uncertainy"}, "did you mean 'uncertainty'"),
            ({"unit": "document"}, "unit is 'document'"),
            ({"count": 0}, "count is 0"),
            ({"shortest": 9, "longest": 8}, "words from 9 to 8"),
        ],
    )
    def test_faulty_settings(self, values: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            settings(**values)

    def test_a_model_and_vectors_are_asked_for(self) -> None:
        with pytest.raises(ConfigError, match="needs a model"):
            select(stream(TOPICS), [Uncertain({}, frozenset())], settings(by="uncertainty"))
        with pytest.raises(ConfigError, match="needs word vectors"):
            select(stream(TOPICS), [Chance(1)], settings(by="diversity"))


@pytest.fixture(scope="module")
def vectors() -> PieceVectors:
    """The vectors of the embedded model."""
    return PieceVectors.from_pretrained()


class TestUnknownLabels:
    def test_readings(self) -> None:
        assert readings("وبالصواريخ") == ["وبالصواريخ", "بالصواريخ", "الصواريخ", "صواريخ"]
        assert readings("للصاروخ")[:1] == ["للصاروخ"] and {"الصاروخ", "صاروخ"} <= set(readings("للصاروخ"))
        assert readings("بلد") == ["بلد"]

    def test_a_name_is_found_whatever_stands_before_it(self, vectors: PieceVectors) -> None:
        matcher = LabelMatcher("WEAPON", vectors, examples=["صاروخ", "طائرة مسيرة"])
        for text, found in (
            ("استهدفت القاعدة بصاروخٍ موجه", "بصاروخٍ"),
            ("سقط الصـــاروخ في البحر", "الصـــاروخ"),
            ("حلقت طائرة مسيرة فوق الحقل", "طائرة مسيرة"),
        ):
            match = matcher.best(text)
            assert match.text == found and match.score == pytest.approx(1.0, abs=1e-3)
        assert matcher.best("").score == 0.0 and matcher.best("!!").score < 0.5

    def test_likeness_ranks_sentences(self, vectors: PieceVectors) -> None:
        """Words that are not among the examples are found by what they mean."""
        weapons = [
            "قصفت المدفعية القرية فجرا",
            "ضبط الأمن بنادق وقنابل في مخزن",
            "دمرت قذائف الدبابات المبنى",
        ]
        others = ["قال الوزير إن الموازنة أقرت", *TOPICS]
        by_example = LabelMatcher("WEAPON", vectors, examples=["صاروخ", "مسدس"])
        by_description = LabelMatcher("WEAPON", vectors, description="سلاح أو ذخيرة أو منصة قتالية")
        for matcher in (by_example, by_description):
            assert min(matcher.best(t).score for t in weapons) > max(matcher.best(t).score for t in others)

    def test_selection_for_a_new_label(self, vectors: PieceVectors) -> None:
        texts = [*TOPICS, "ضبط الأمن بنادق وقنابل في مخزن مهجور", "أطلق المسلحون صاروخا على القاعدة الجوية"]
        schema = LabelSchema.from_dict({"name": "known", "entities": [{"name": "GPE"}]})
        criteria = build_criteria(
            ["WEAPON"],
            schema,
            {},
            by="both",
            seed=1,
            vectors=vectors,
            examples={"WEAPON": ["صاروخ", "بندقية"]},
        )
        found = select(stream(texts), criteria, settings(count=2), vectors=vectors)
        for by in ("uncertainty", "both"):
            found = select(stream(texts), criteria, settings(count=2, by=by), vectors=vectors)
            assert any("صاروخا" in c.unit.text for c in found.choices), by
        assert found.choices[0].to_dict()["reason"]["label"] == "WEAPON"

    def test_each_label_gets_its_share(self, vectors: PieceVectors) -> None:
        schema = LabelSchema.from_dict({"name": "known", "entities": [{"name": "GPE"}]})
        reader = FakeReader({"بيروت": [("بيروت", "GPE", 0.5)], "البرلمان": [("البرلمان", "GPE", 0.3)]})
        criteria = build_criteria(
            ["GPE", "SPORT", "WEATHER"],
            schema,
            {"GPE": 0.5},
            by="uncertainty",
            seed=1,
            vectors=vectors,
            examples={"SPORT": ["المباراة", "كرة القدم"], "WEATHER": ["أمطار", "عاصفة"]},
        )
        found = select(
            stream(TOPICS), criteria, settings(count=3, by="uncertainty"), reader=reader, vectors=vectors
        )
        assert [c.label for c in found.choices] == ["", "SPORT", "WEATHER"]
        assert [TOPICS.index(c.unit.text) for c in found.choices] == [4, 0, 1]

    def test_annotated_names_are_examples(self, vectors: PieceVectors) -> None:
        text = "عثر على بندقية"
        known = Document(text, (make_entity(text, 8, 14, "WEAPON", id="T1"),))
        schema = LabelSchema.from_dict({"name": "known", "entities": [{"name": "GPE"}]})
        criterion = build_criteria(["WEAPON"], schema, {}, by="both", seed=1, vectors=vectors, known=[known])[
            0
        ]
        assert isinstance(criterion, Similar)
        worth = criterion.worth(unit("حمل بندقيته وسار نحو البندقية"), None, 0)
        assert worth is not None and worth.detail == {"found": "البندقية", "like": "بندقية"}

    def test_faults(self, vectors: PieceVectors) -> None:
        schema = LabelSchema.from_dict({"name": "known", "entities": [{"name": "GPE"}]})
        wanted = LabelSchema.from_dict(
            {
                "name": "wanted",
                "entities": [{"name": "GPE"}, {"name": "WEAPON"}],
                "relations": [{"name": "hit", "head": ["WEAPON"], "tail": ["GPE"]}],
            }
        )

        def build(labels: list[str], by: str = "both", **options: object) -> object:
            return build_criteria(labels, schema, {}, by=by, seed=1, vectors=vectors, **options)  # type: ignore[arg-type]

        with pytest.raises(ConfigError, match=r"nothing to look for 'WEAPON' by.*--example 'WEAPON="):
            build(["WEAPON"], wanted=wanted)
        with pytest.raises(ConfigError, match="did you mean 'WEAPON'"):
            build(["WEAPONS"], wanted=wanted)
        with pytest.raises(ConfigError, match=r"'hit' is a relation.*WEAPON, GPE"):
            build(["hit"], wanted=wanted)
        with pytest.raises(ConfigError, match="diversity looks at none of the labels"):
            build(["GPE"], by="diversity")
        with pytest.raises(ConfigError, match="--example for 'GPE'"):
            build(["GPE"], examples={"GPE": ["بيروت"]})
        with pytest.raises(ConfigError, match="LABEL=name,name"):
            parse_examples(["صاروخ"])
        assert parse_examples(["A=صاروخ، قنبلة ,x"]) == {"A": ["صاروخ", "قنبلة", "x"]}
