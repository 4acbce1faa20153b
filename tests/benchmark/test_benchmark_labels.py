"""Labels on common ground: classes of corpora, maps, what is refused, and how predictions are rewritten."""

from dataclasses import replace
from pathlib import Path

import pytest
from isnad.eval.benchmark.labels import (
    Classes,
    LabelMap,
    Translation,
    translate_document,
    translate_labels,
    translate_relations,
)
from isnad.model.document import Document, Relation
from isnad.model.errors import ConfigError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data.corpora import corpus_config
from isnad.training.data.corpus_config import CorpusConfig
from isnad.training.data.sources import CONFIGS


def document(text: str, *mentions: tuple[str, str], id: str = "a") -> Document:
    entities = []
    for n, (part, label) in enumerate(mentions, 1):
        at = text.index(part)
        entities.append(make_entity(text, at, at + len(part), label, id=f"T{n}"))
    return Document(text, tuple(entities), id=id)


class TestClasses:
    def test_one_tag_for_several_labels(self):
        """ANERcorp: LOC stands for countries, places and buildings; MISC for nothing that the schema has."""
        classes = Classes.of_corpus(corpus_config("anercorp"))
        assert classes.names == ("PERS", "ORG", "LOC", "MISC")
        assert classes.default == {"PERS": "PERS", "ORG": "ORG", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC"}
        assert classes.members["MISC"] == frozenset()

    def test_several_tags_for_one_label(self):
        """WikiFANE: politicians and athletes are PERS; what may be a building or a firm is a class of its own."""
        classes = Classes.of_corpus(corpus_config("wikifane"))
        assert classes.of_tag["Politician"] == classes.of_tag["Athlete"] == "PERS"
        assert classes.of_tag["Plant"] == classes.of_tag["Medical-Science"] == "ORG/FAC"
        assert classes.of_tag["Drug"] == "Drug" and classes.members["Drug"] == frozenset()
        assert classes.default["ORG"] == "ORG" and classes.default["GPE"] == "GPE"

    @pytest.mark.parametrize("name", sorted(p.stem for p in (CONFIGS / "data").glob("*.yaml")))
    def test_every_label_of_every_corpus_has_a_class(self, name: str, schema: LabelSchema):
        config = corpus_config(name)
        classes = Classes.of_corpus(config)
        assert set(classes.of_tag) == set(config.labels)
        for label, found in classes.default.items():
            assert label in schema.entity_index and label in classes.members[found]

    def test_a_label_is_right_in_each_class_that_may_mean_it(self):
        config = {"Plant": ["FAC", "ORG"], "Firm": ["ORG"], "Tower": ["FAC"]}
        classes = Classes.of_corpus(CorpusConfig(name="x", paths=("x",), labels=config))
        text = "مصنع الأمل قرب شركة النور وبرج خليفة"
        gold = document(text, ("مصنع الأمل", "Plant"), ("شركة النور", "Firm"), ("برج خليفة", "Tower"))
        translation = translate_labels(["ORG", "FAC", "DATE"], classes, model="m", data="d")
        assert translation.source == "configs/data"

        def seen(*mentions: tuple[str, str]) -> list[str]:
            found = translate_document(document(text, *mentions), gold, translation, convention="char")
            return [e.label for e in found.entities]

        assert seen(("مصنع الأمل", "ORG")) == seen(("مصنع الأمل", "FAC")) == ["Plant"]
        # Another span, or another class in gold, is what the label says; labels of no class are left out.
        assert seen(("مصنع", "ORG"), ("شركة النور", "FAC")) == ["Firm", "Tower"]
        assert seen(("قرب", "DATE")) == []


class TestTranslation:
    classes = Classes.same(("PERS", "GPE"))

    def test_same_labels_in_any_order(self):
        assert translate_labels(["GPE", "PERS"], self.classes, model="m", data="d").source in ("same", "tags")

    def test_refused_with_both_lists(self):
        with pytest.raises(ConfigError) as error:
            translate_labels(["PER", "LOC"], self.classes, model="m", data="d")
        assert "m has the labels PER, LOC, and d has PERS, GPE" in str(error.value)
        assert "--map FILE.yaml" in str(error.value)

    def test_fewer_labels_are_refused_too(self):
        """LOC of one scheme is not LOC of another: a name in common proves nothing."""
        with pytest.raises(ConfigError):
            translate_labels(["PERS"], self.classes, model="m", data="d")

    def test_maps(self, tmp_path: Path):
        path = tmp_path / "map.yaml"
        path.write_text("PER: PERS\nLOC: GPE\nMISC: null\n", encoding="utf-8")
        found = LabelMap.read(path)
        translation = translate_labels(
            ["PER", "LOC", "MISC"], self.classes, model="m", data="d", maps=[found]
        )
        assert translation.class_of == {"PER": "PERS", "LOC": "GPE", "MISC": ""}
        with pytest.raises(ConfigError, match="a map lacks ORG"):
            translate_labels(["PER", "LOC", "ORG"], self.classes, model="m", data="d", maps=[found])
        path.write_text("PER: PRS\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="did you mean 'PERS'"):
            translate_labels(["PER"], self.classes, model="m", data="d", maps=[LabelMap.read(path)])

    def test_map_of_one_model(self, tmp_path: Path):
        path = tmp_path / "map.yaml"
        path.write_text("model: other\nlabels: {PER: PERS}\n", encoding="utf-8")
        with pytest.raises(ConfigError):
            translate_labels(["PER"], self.classes, model="m", data="d", maps=[LabelMap.read(path)])
        assert translate_labels(["PER"], self.classes, model="other", data="d", maps=[LabelMap.read(path)])

    @pytest.mark.parametrize(
        "content", ["", "- a\n", "PER: [PERS]\n", "labels: {}\n", "a: [\n", "model: x\nlabel: {A: B}"]
    )
    def test_faulty_maps(self, tmp_path: Path, content: str):
        path = tmp_path / "map.yaml"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"map\.yaml"):
            LabelMap.read(path)

    def test_a_slip_in_a_key_is_named(self, tmp_path: Path):
        path = tmp_path / "map.yaml"
        path.write_text("lables: {PER: PERS}\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="unknown key 'lables'; did you mean 'labels'"):
            LabelMap.read(path)

    @pytest.mark.parametrize(
        "path", sorted((CONFIGS / "benchmark").glob("*-on-*.yaml")), ids=lambda p: p.stem
    )
    def test_shipped_maps_name_tags_of_their_corpus(self, path: Path):
        targets = [t for t in LabelMap.read(path).labels.values() if t]
        tags = corpus_config(path.stem.rpartition("-on-")[2]).labels
        assert targets and set(targets) <= set(tags)

    def test_relations_and_clusters_follow_their_mentions(self):
        text = "زار قاآني بغداد أمس ثم عاد قاآني"
        found = document(text, ("قاآني", "PERS"), ("بغداد", "GPE"), ("أمس", "DATE"))
        last = make_entity(text, text.rindex("قاآني"), len(text), "PERS", id="T4")
        found = replace(
            found,
            entities=(*found.entities, last),
            relations=(
                Relation("T1", "visited", "T2"),
                Relation("T1", "on", "T3"),
                Relation("T1", "odd", "T2"),
            ),
            clusters=(("T1", "T4"), ("T2", "T3")),
        )
        translation = Translation(
            {"PERS": "PERS", "GPE": "GPE", "DATE": ""},
            relation_of={"odd": "other", "visited": "visited", "on": "on"},
        )
        kept = translate_document(found, found, translation, convention="char")
        assert [e.id for e in kept.entities] == ["T1", "T2", "T4"]
        assert kept.relations == (Relation("T1", "visited", "T2"), Relation("T1", "other", "T2"))
        assert kept.clusters == (("T1", "T4"),)
        assert [e.cluster for e in kept.entities] == [0, None, 0]

    def test_a_model_of_the_tags_of_a_corpus(self):
        """It needs no map, and is compared in the same classes as a model of the schema."""
        config = corpus_config("wikifane")
        classes = Classes.of_corpus(config)
        translation = translate_labels(sorted(config.labels), classes, model="m", data="d")
        assert translation.source == "tags"
        assert translation.class_of["Politician"] == "PERS" and translation.class_of["Drug"] == "Drug"

    def test_relations(self):
        known = ("visited", "met_with")
        names = {"model": "m", "data": "d"}
        assert translate_relations((), known, **names) == {}
        assert translate_relations(("visited", "bought"), (), **names) == {}
        assert translate_relations(("visited",), known, **names) == {"visited": "visited"}
        with pytest.raises(
            ConfigError, match="m has the relations visited, saw, and d has visited, met_with"
        ):
            translate_relations(("visited", "saw"), known, **names)
        for target, found in (
            ("met_with", {"visited": "visited", "saw": "met_with"}),
            (None, {"visited": "visited"}),
        ):
            maps = [LabelMap({"saw": target})]
            assert translate_relations(("visited", "saw"), known, **names, maps=maps) == found
        with pytest.raises(ConfigError):
            translate_relations(("saw",), known, **names, maps=[LabelMap({"saw": "sees"})])
