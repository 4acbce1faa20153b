"""Data of an extension: unlabelled is not negative, new data is cut fairly, old data knows no new label."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from isnad.model.document import Document
from isnad.model.errors import SchemaError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.extend_cut import counts, cut, subset
from isnad.training.extend_data import (
    Known,
    annotated_labels,
    measured,
    new_source,
    rehearsal_sources,
    restrict,
)
from isnad.training.extend_defaults import size_defaults
from isnad.training.relabel import label_changes


class TestData:
    def test_the_cut_is_the_same_everywhere_and_has_every_label(
        self, sentences: Callable[[int], list[Document]]
    ):
        documents = sentences(40)
        train, dev = cut(documents, 0.2)
        shuffled = random.Random(1).sample(documents, len(documents))
        again = cut(shuffled, 0.2)
        assert {d.id for d in dev} == {d.id for d in again[1]} and len(train) + len(dev) == 40
        for label, total in counts(documents).items():
            assert 0.1 * total <= counts(dev)[label] <= 0.4 * total, label
        assert not {d.text for d in train} & {d.text for d in dev}

    def test_the_cut_of_little(self, sentences: Callable[[int], list[Document]]):
        documents = sentences(4)
        rare = make_entity("حظر الأسلحة", 0, 3, "RARE", id="T1")
        whole = Document("\n".join(d.text for d in documents) + "\nحظر الأسلحة", id="one")
        at, entities = 0, []
        for d in documents:
            entities += [
                make_entity(whole.text, at + e.start, at + e.end, e.label, id=f"{at}{e.id}")
                for e in d.entities
            ]
            at += len(d.text) + 1
        entities.append(make_entity(whole.text, at, at + rare.end, "RARE", id="R"))
        train, dev = cut([replace(whole, entities=tuple(entities))], 0.2)
        assert counts(train)["RARE"] == 1 and counts(dev)["RARE"] == 0  # the only one is learned
        assert counts(dev)["WEAPON"] >= 1 and len(train) + len(dev) == 5
        twice = [*sentences(12), replace(sentences(12)[0], id="copy")]
        train, dev = cut(twice, 0.3)
        assert not {d.text for d in train} & {d.text for d in dev}
        assert len(subset(documents, 0.01)) == 1
        assert set(map(id, subset(documents, 0.25))) <= set(map(id, subset(documents, 0.5)))

    def test_which_labels_are_annotated_throughout(self, schema: LabelSchema, arms: LabelSchema):
        changes = label_changes(schema, arms)
        text = "زار قاآني وظريف بغداد ومعهما صواريخ كروز"
        gold = Document(
            text, (make_entity(text, 4, 9, "PERS", id="T1"), make_entity(text, 29, 40, "WEAPON", id="T2")), id="d"
        )  # fmt: skip
        assert [e.text for e in gold.entities] == ["قاآني", "صواريخ كروز"]
        found = Document(
            text,
            tuple(make_entity(text, s, e, "PERS", id=f"T{s}") for s, e in ((4, 9), (11, 15), (16, 21))),
            id="d",
        )
        labels, partly = annotated_labels([gold], arms, changes, (), [found])
        # The base model finds three persons where one is marked: nobody marked them all.
        assert labels == {"WEAPON"} and partly == {"PERS": (1, 3)}
        labels, partly = annotated_labels([gold], arms, changes, (), [restrict(found, {"GPE"})])
        assert labels == {"WEAPON", "PERS"} and not partly
        labels, _ = annotated_labels([gold], arms, changes, ("PERS", "armed_with"), [found])
        assert labels == {"PERS", "armed_with"}
        with pytest.raises(SchemaError, match="unknown label 'WEPON'; did you mean 'WEAPON'"):
            annotated_labels([gold], arms, changes, ("WEPON",), [found])

    def test_new_data_is_silent_about_the_rest(
        self, sentences: Callable[[int], list[Document]], arms: LabelSchema
    ):
        source = new_source(sentences(2), arms, frozenset({"WEAPON", "armed_with"}), nested=True, repeat=3.0)
        assert source.annotation is not None and source.weight == 3.0
        assert source.annotation.annotates == {"WEAPON"}
        assert source.annotation.annotates_relation("armed_with")
        assert not source.annotation.annotates_relation("visited")
        known = Known(tuple(sentences(8)), frozenset({"SANCTION"}))
        assert set(counts(known.gold())) == {"SANCTION"}

    def test_rehearsal_knows_nothing_of_new_labels(
        self, articles: list[Document], schema: LabelSchema, tmp_path: Path, folder: Path
    ):
        (tmp_path / "my.yaml").write_text(
            (folder / "arms.yaml").read_text(encoding="utf-8") + "  - {name: leads, from: leader_of}\n",
            encoding="utf-8",
        )
        text = (
            (tmp_path / "my.yaml")
            .read_text(encoding="utf-8")
            .replace("relations:", "  - {name: LAND, from: GPE}\n  - {name: TOWN, from: GPE}\nrelations:")
        )
        (tmp_path / "my.yaml").write_text(text, encoding="utf-8")
        new = LabelSchema.from_yaml(tmp_path / "my.yaml")
        changes = label_changes(schema, new)
        known = Known(tuple(articles), frozenset((*schema.entity_labels, *schema.relation_labels)))
        [source] = rehearsal_sources([known], new, changes, weight=0.5)
        assert source.annotation is not None and source.weight == 0.5
        assert set(new.entity_labels) - source.annotation.annotates == {"WEAPON", "SANCTION"}
        assert not source.annotation.annotates_relation("armed_with")
        assert source.annotation.annotates_relation("leads")
        assert source.annotation.labels["LAND|TOWN"] == ("LAND", "TOWN")
        before, after = counts(articles), counts(source.documents)
        assert after["COMPANY"] == before["ORG"] and after["LAND|TOWN"] == before["GPE"]
        [dev] = measured([known], new, changes)
        # What is split is unknown in old development documents, what is renamed is not.
        assert not {"LAND", "TOWN", "WEAPON"} & dev.labels and "COMPANY" in dev.labels
        assert {e.label for d in dev.documents for e in d.entities} <= dev.labels

    def test_defaults_by_size(self):
        few, reasons = size_defaults(20, recurrent=True)
        many, _ = size_defaults(5000, recurrent=True)
        assert few["epochs"] * few["extend"]["repeat"] > many["epochs"] * many["extend"]["repeat"]
        assert (
            few["extend"]["rehearsal"] >= many["extend"]["rehearsal"]
            and few["batch_size"] <= many["batch_size"]
        )
        assert "20 new sentences" in reasons["epochs"] and few["method"] == "full"
        assert size_defaults(20, recurrent=False)[0]["method"] == "lora"  # peft is installed here
