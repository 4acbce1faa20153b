"""Choosing what to annotate from a stream: near-duplicates, uncertainty, diversity, labels in turn."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from isnad.model.document import Document
from isnad.model.errors import ConfigError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.active import Passage, PieceVectors, Settings, Uncertain, build_criteria, gain, select
from isnad.training.active.criteria import Chance


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


def settings(**values: object) -> Settings:
    return Settings(**({"count": 4, "shortest": 3} | values))  # type: ignore[arg-type]


class TestSelect:
    @pytest.fixture
    def hand_made(self, topics: tuple[str, ...]) -> tuple[list[str], FakeReader, set[str]]:
        """Forty sentences with a place; of five the model is unsure, three of those are nearly one sentence."""
        places = "عدن مسقط صور جدة دمشق تونس سبها جنين".split()
        texts = [f"{topic} كما أفاد مراسلنا من {place}" for topic in topics for place in places[:5]]
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

    def test_the_uncertain_ones_are_chosen(
        self,
        stream: Callable[[Iterable[str]], Iterator[Passage]],
        hand_made: tuple[list[str], FakeReader, set[str]],
    ) -> None:
        texts, reader, unsure = hand_made
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

    def test_only_the_labels_asked_for_count(
        self,
        stream: Callable[[Iterable[str]], Iterator[Passage]],
        hand_made: tuple[list[str], FakeReader, set[str]],
    ) -> None:
        texts, reader, _ = hand_made
        limits = dict.fromkeys(("PERS", "LOC", "GPE"), 0.5)
        criteria = [Uncertain(limits, frozenset({"LOC"}))]
        found = select(stream(texts), criteria, settings(count=9, by="uncertainty"), reader=reader)
        assert len(found.choices) == 2
        assert {d["label"] for c in found.choices for d in c.detail["decisions"]} == {"LOC"}

    def test_what_is_known_is_left_out(
        self,
        stream: Callable[[Iterable[str]], Iterator[Passage]],
        hand_made: tuple[list[str], FakeReader, set[str]],
    ) -> None:
        texts, reader, _ = hand_made
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

    def test_both_takes_uncertain_ones_that_differ(
        self, stream: Callable[[Iterable[str]], Iterator[Passage]]
    ) -> None:
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

    def test_memory_is_bounded(self, topics: tuple[str, ...]) -> None:
        """A stream of 3,000 passages: a batch at a time is read, and no more than the pool is kept."""
        produced = 0

        def passages() -> Iterator[Passage]:
            nonlocal produced
            random = np.random.default_rng(7)
            words = [w for topic in topics for w in topic.split()]
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

    def test_what_is_no_sentence_is_counted(
        self, topics: tuple[str, ...], stream: Callable[[Iterable[str]], Iterator[Passage]]
    ) -> None:
        texts = ["نعم", "a list of Latin words only", "كلمة " * 101, *topics]
        found = select(stream(texts), [Chance(1)], settings(by="diversity"), vectors=letters_as_vectors())
        counts = found.counts
        assert (counts["too short"], counts["not Arabic"], counts["too long"], counts["units"]) == (
            1,
            1,
            1,
            8,
        )
        assert {c.unit.text for c in found.choices} <= set(topics) and len(found.choices) == 4

    def test_the_sample_does_not_depend_on_the_order(
        self, topics: tuple[str, ...], stream: Callable[[Iterable[str]], Iterator[Passage]]
    ) -> None:
        def run(texts: Iterable[str], seed: int) -> list[str]:
            criteria = [Chance(seed)]
            found = select(
                stream(texts),
                criteria,
                settings(by="diversity", seed=seed, pool=4),
                vectors=letters_as_vectors(),
            )
            return sorted(c.unit.text for c in found.choices)

        assert run(topics, 1) == run(topics[::-1], 1)
        assert len({tuple(run(topics, seed)) for seed in range(6)}) > 1

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

    def test_a_model_and_vectors_are_asked_for(
        self, topics: tuple[str, ...], stream: Callable[[Iterable[str]], Iterator[Passage]]
    ) -> None:
        with pytest.raises(ConfigError, match="needs a model"):
            select(stream(topics), [Uncertain({}, frozenset())], settings(by="uncertainty"))
        with pytest.raises(ConfigError, match="needs word vectors"):
            select(stream(topics), [Chance(1)], settings(by="diversity"))

    def test_each_label_gets_its_share(
        self,
        vectors: PieceVectors,
        topics: tuple[str, ...],
        stream: Callable[[Iterable[str]], Iterator[Passage]],
    ) -> None:
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
            stream(topics), criteria, settings(count=3, by="uncertainty"), reader=reader, vectors=vectors
        )
        assert [c.label for c in found.choices] == ["", "SPORT", "WEATHER"]
        assert [topics.index(c.unit.text) for c in found.choices] == [4, 0, 1]
