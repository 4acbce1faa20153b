"""What an extension forgot: losses told from chance, rare labels, intervals of new ones."""

import json

import pytest
from isnad.eval.forgetting import forgetting, new_scores, wilson_low
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.extend_data import restrict


class TestForgetting:
    def _documents(self, schema: LabelSchema, wrong: dict[str, int]) -> tuple[list[Document], list[Document]]:
        """Return 30 documents of a person and a place, and readings of which some miss `wrong` of them."""
        gold, found = [], []
        for n in range(30):
            text = f"زار قاآني بغداد {n}"
            entities = (make_entity(text, 4, 9, "PERS", id="T1"), make_entity(text, 10, 15, "GPE", id="T2"))
            gold.append(Document(text, entities, id=f"d{n}"))
            kept = tuple(e for e in entities if n >= wrong.get(e.label, 0))
            found.append(Document(text, kept, id=f"d{n}"))
        return gold, found

    def test_losses_are_told_from_chance(self, schema: LabelSchema):
        gold, before = self._documents(schema, {"PERS": 3})
        _, after = self._documents(schema, {"PERS": 4, "GPE": 15})
        found = forgetting(gold, before, after, schema, replaced={"GPE": {"WEAPON": 2}}, rounds=999)
        assert set(found.lost) == {"GPE"} and found.spans.lost
        assert found.old["GPE"].replaced == {"WEAPON": 2} and not found.old["PERS"].lost
        assert found.old["GPE"].change.p_adjusted < 0.05
        data = json.loads(json.dumps(found.to_dict()))
        assert data["lost"] == ["GPE"] and data["old"]["PERS"]["change"]["support"] == 30
        same = forgetting(gold, before, before, schema, rounds=99)
        assert not same.lost

    def test_rare_labels(self, schema: LabelSchema):
        """One miss among three is chance, three of three are not, though no test could say so."""
        gold, _ = self._documents(schema, {})
        gold = gold[:3]
        before = gold
        none = [restrict(d, {"GPE"}) for d in gold]
        assert "PERS" in forgetting(gold, before, none, schema, rounds=99).lost
        one = [none[0], *gold[1:]]
        assert "PERS" not in forgetting(gold, before, one, schema, rounds=99).lost
        assert wilson_low(1.0, 3) == pytest.approx(0.4385, abs=1e-3) and wilson_low(1.0, 0) == 0.0

    def test_new_labels_have_intervals(self, schema: LabelSchema):
        gold, found = self._documents(schema, {"PERS": 6})
        scores = new_scores(gold, found, schema)
        assert (
            scores["PERS"].recall == 0.8 and scores["PERS"].precision == 1.0 and scores["PERS"].support == 30
        )
        interval = scores["PERS"].interval
        assert interval is not None and interval.low < scores["PERS"].f1 < interval.high
