"""Looking for labels that no model knows, by names and descriptions."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from isnad.model.document import Document
from isnad.model.errors import ConfigError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.active import (
    LabelMatcher,
    Passage,
    PieceVectors,
    Settings,
    Similar,
    Unit,
    build_criteria,
    select,
)
from isnad.training.active.labels import parse_examples
from isnad.training.active.similarity import readings


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

    def test_likeness_ranks_sentences(self, vectors: PieceVectors, topics: tuple[str, ...]) -> None:
        """Words that are not among the examples are found by what they mean."""
        weapons = [
            "قصفت المدفعية القرية فجرا",
            "ضبط الأمن بنادق وقنابل في مخزن",
            "دمرت قذائف الدبابات المبنى",
        ]
        others = ["قال الوزير إن الموازنة أقرت", *topics]
        by_example = LabelMatcher("WEAPON", vectors, examples=["صاروخ", "مسدس"])
        by_description = LabelMatcher("WEAPON", vectors, description="سلاح أو ذخيرة أو منصة قتالية")
        for matcher in (by_example, by_description):
            assert min(matcher.best(t).score for t in weapons) > max(matcher.best(t).score for t in others)

    def test_selection_for_a_new_label(
        self,
        vectors: PieceVectors,
        topics: tuple[str, ...],
        stream: Callable[[Iterable[str]], Iterator[Passage]],
    ) -> None:
        texts = [*topics, "ضبط الأمن بنادق وقنابل في مخزن مهجور", "أطلق المسلحون صاروخا على القاعدة الجوية"]
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
        found = select(stream(texts), criteria, Settings(count=2, shortest=3), vectors=vectors)
        for by in ("uncertainty", "both"):
            found = select(stream(texts), criteria, Settings(count=2, shortest=3, by=by), vectors=vectors)
            assert any("صاروخا" in c.unit.text for c in found.choices), by
        assert found.choices[0].to_dict()["reason"]["label"] == "WEAPON"

    def test_annotated_names_are_examples(self, vectors: PieceVectors, unit: Callable[[str], Unit]) -> None:
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
