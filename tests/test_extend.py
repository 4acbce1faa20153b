"""Data, losses, thresholds and runs of an extension: unlabelled is not negative, and old labels stay."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from isnad.eval.forgetting import forgetting, new_scores, wilson_low
from isnad.eval.scores import development_scores
from isnad.model.configuration import IsnadConfig
from isnad.model.document import Document, Relation
from isnad.model.errors import ConfigError, DataError, SchemaError
from isnad.model.inference import Extractor
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.model.windows import WindowMaker
from isnad.training.calibrate import Calibration, Observations
from isnad.training.collate import Collator
from isnad.training.config import EncoderConfig, FinetuneConfig
from isnad.training.data import write_documents
from isnad.training.data.annotation import Annotation
from isnad.training.examples import build_examples
from isnad.training.extend import plan_extension, write_teacher
from isnad.training.extend_compare import read_old
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
from isnad.training.extend_finish import (
    calibrate_apart,
    inherited_decisions,
    joined,
    masked,
    with_inherited,
)
from isnad.training.extend_run import extend
from isnad.training.loading import load_model
from isnad.training.relabel import label_changes
from isnad.training.rows import nearest_labels, row_starter

SCHEMA = """
name: arms
extends: wojood
entities:
  - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
  - {name: SANCTION, en: Punitive measure against a state or person, ar: عقوبة على دولة أو شخص}
  - {name: COMPANY, from: ORG}
relations:
  - {name: armed_with, head: [PERS, COMPANY], tail: [WEAPON], en: Has the weapon, ar: يملك السلاح}
"""
WEAPONS = ("صواريخ كروز", "بنادق كلاشينكوف", "مُسيّرة انتحارية", "قنابل عنقودية", "دبّابات T-72", "صاروخ سكود")
SANCTIONS = ("حظر سفر", "تجميد أصول", "عقوبات اقتصادية")
FRAMES = (
    "نشر الجيش {w} قرب الحدود يوم {n} آذار.",
    "قال قاآني إن {w} وصلت إلى بغداد أمس 🚀.",
    "فرضت واشنطن {s} على نصرالله بعد استخدام {w}.",
    "عثر الأهالي على {w} في قرية جنوبي البلدة، وعددها {n}.",
)


def _sentences(number: int) -> list[Document]:
    """Sentences with every WEAPON and SANCTION marked and nothing else."""
    draw = random.Random(5)
    documents = []
    for n in range(number):
        weapon, sanction = draw.choice(WEAPONS), draw.choice(SANCTIONS)
        text = FRAMES[n % len(FRAMES)].format(w=weapon, s=sanction, n="٣" * (1 + n % 3)) + f" خبر {n}"
        spans = [(text.index(weapon), weapon, "WEAPON")]
        if sanction in text:
            spans.append((text.index(sanction), sanction, "SANCTION"))
        entities = tuple(
            make_entity(text, at, at + len(name), label, id=f"T{i}")
            for i, (at, name, label) in enumerate(sorted(spans), 1)
        )
        documents.append(Document(text, entities, id=f"s{n}"))
    return documents


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, articles: list[Document], schema: LabelSchema) -> Path:
    """Schema, new data of 24 sentences, and two short sets of old data."""
    place = tmp_path_factory.mktemp("extend")
    (place / "arms.yaml").write_text(SCHEMA, encoding="utf-8")
    write_documents(_sentences(24), place / "new.jsonl", format="jsonl", schema=_schema(place))
    for name, article in (("rehearse", articles[0]), ("measure", articles[1])):
        write_documents([_short(article)], place / f"{name}.jsonl", format="jsonl", schema=schema)
    return place


def _schema(folder: Path) -> LabelSchema:
    return LabelSchema.from_yaml(folder / "arms.yaml")


def _short(document: Document, limit: int = 500) -> Document:
    end = document.text.index("\n", limit)
    entities = tuple(replace(e, cluster=None) for e in document.entities if e.end <= end)
    ids = {e.id for e in entities}
    relations = tuple(r for r in document.relations if {r.head, r.tail} <= ids)
    return Document(document.text[:end], entities, relations, id=document.id)


def _settings(folder: Path, base: Path, **more: Any) -> dict[str, Any]:
    extend = {"rehearse": [str(folder / "rehearse.jsonl")], "measure": [str(folder / "measure.jsonl")]}
    return {
        "encoder": {"path": str(base)},
        "data": {"train": [str(folder / "new.jsonl")], "schema": str(folder / "arms.yaml")},
        "extend": extend | more.pop("extend", {}),
        "tracker": "none",
        "epochs": 1,
    } | more


@pytest.fixture(scope="module")
def run(folder: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished extension of one epoch, with renamed and new labels."""
    output = tmp_path_factory.mktemp("run")
    plan = plan_extension(_settings(folder, tiny_model))
    extend(plan, output, score=development_scores(plan.schema))
    return output


class TestData:
    def test_the_cut_is_the_same_everywhere_and_has_every_label(self):
        documents = _sentences(40)
        train, dev = cut(documents, 0.2)
        shuffled = random.Random(1).sample(documents, len(documents))
        again = cut(shuffled, 0.2)
        assert {d.id for d in dev} == {d.id for d in again[1]} and len(train) + len(dev) == 40
        for label, total in counts(documents).items():
            assert 0.1 * total <= counts(dev)[label] <= 0.4 * total, label
        assert not {d.text for d in train} & {d.text for d in dev}

    def test_the_cut_of_little(self):
        documents = _sentences(4)
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
        twice = [*_sentences(12), replace(_sentences(12)[0], id="copy")]
        train, dev = cut(twice, 0.3)
        assert not {d.text for d in train} & {d.text for d in dev}
        assert len(subset(documents, 0.01)) == 1
        assert set(map(id, subset(documents, 0.25))) <= set(map(id, subset(documents, 0.5)))

    def test_which_labels_are_annotated_throughout(self, folder: Path, schema: LabelSchema):
        new = _schema(folder)
        changes = label_changes(schema, new)
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
        labels, partly = annotated_labels([gold], new, changes, (), [found])
        # The base model finds three persons where one is marked: nobody marked them all.
        assert labels == {"WEAPON"} and partly == {"PERS": (1, 3)}
        labels, partly = annotated_labels([gold], new, changes, (), [restrict(found, {"GPE"})])
        assert labels == {"WEAPON", "PERS"} and not partly
        labels, _ = annotated_labels([gold], new, changes, ("PERS", "armed_with"), [found])
        assert labels == {"PERS", "armed_with"}
        with pytest.raises(SchemaError, match="unknown label 'WEPON'; did you mean 'WEAPON'"):
            annotated_labels([gold], new, changes, ("WEPON",), [found])

    def test_new_data_is_silent_about_the_rest(self, folder: Path):
        new = _schema(folder)
        source = new_source(_sentences(2), new, frozenset({"WEAPON", "armed_with"}), nested=True, repeat=3.0)
        assert source.annotation is not None and source.weight == 3.0
        assert source.annotation.annotates == {"WEAPON"}
        assert source.annotation.annotates_relation("armed_with")
        assert not source.annotation.annotates_relation("visited")
        known = Known(tuple(_sentences(8)), frozenset({"SANCTION"}))
        assert set(counts(known.gold())) == {"SANCTION"}

    def test_rehearsal_knows_nothing_of_new_labels(
        self, articles: list[Document], schema: LabelSchema, tmp_path: Path
    ):
        (tmp_path / "my.yaml").write_text(SCHEMA + "  - {name: leads, from: leader_of}\n", encoding="utf-8")
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


class TestLoss:
    def test_silence_gives_no_gradient(self, folder: Path, tiny_model: Path, schema: LabelSchema):
        """A label that a corpus does not annotate, entity or relation, is neither learned nor unlearned from it."""
        new = _schema(folder)
        model, tokenizer = load_model(FinetuneConfig(encoder=EncoderConfig(path=str(tiny_model))), new)
        maker = WindowMaker(tokenizer, max_pieces=96, overlap_pieces=16)
        text = "سلّح قاآني حزب الله صواريخ كروز في بغداد"
        entities = (make_entity(text, 5, 10, "PERS", id="T1"), make_entity(text, 20, 31, "WEAPON", id="T2"))
        document = Document(text, entities, (Relation("T1", "armed_with", "T2"),), id="d")
        assert [e.text for e in entities] == ["قاآني", "صواريخ كروز"]
        annotation = Annotation(
            {label: (label,) for label in new.entity_labels},
            frozenset({"WEAPON"}),
            nested=True,
            proclitics=True,
            relations=frozenset({"armed_with"}),
        )
        [example] = build_examples(document, maker, new, annotation=annotation)
        assert np.flatnonzero(example.relation_annotated).tolist() == [new.relation_index["armed_with"]]
        output = model(**Collator(0)([[example]]))
        output.loss.backward()
        spans = model.span_head.biaffine.grad.abs().amax(dim=(1, 2))
        index = new.entity_index
        learned = {label for label in new.entity_labels if spans[index[label]] > 0}
        assert learned == {"WEAPON", "PERS"}  # PERS at the one marked span only
        rows = model.relation_head.output.weight.grad.abs().amax(dim=1)
        assert {new.relation_labels[i] for i in rows.nonzero().flatten().tolist()} == {"armed_with"}


class TestThresholds:
    def test_what_is_unknown_does_not_count(self):
        draw = np.random.default_rng(0)
        correct = draw.random((400, 2)) < 0.3
        logits = np.where(correct, 2.0, -2.0) + draw.normal(size=(400, 2))
        seen = Observations(
            logits.astype(np.float32), correct, np.ones((400, 2), dtype=bool), correct.sum(axis=0)
        )
        blind = replace(seen, correct=np.zeros_like(correct), gold=np.zeros(2, dtype=np.int64))
        half = masked(blind, ("A", "B"), frozenset({"A"}))
        assert half.valid[:, 0].all() and not half.valid[:, 1].any()
        both = joined([masked(seen, ("A", "B"), frozenset({"B"})), half])
        assert both.gold.tolist() == [0, correct[:, 1].sum()] and len(both.logits) == 800
        # B is judged by the documents that annotate it: the 400 others, where it is never right, change nothing.
        apart, alone = calibrate_apart(both, [True, False]), calibrate_apart(seen, [True, False])
        np.testing.assert_allclose(apart.thresholds[1], alone.thresholds[1])
        np.testing.assert_allclose(apart.scaling[1], alone.scaling[1])

    def test_few_examples_stay_near_one_half(self):
        logits = np.asarray([[6.0], [5.0], [-1.5], [-2.0]], dtype=np.float32)
        correct = np.asarray([[True], [True], [True], [False]])
        seen = Observations(logits, correct, np.ones((4, 1), dtype=bool), np.asarray([3]))
        drawn, free = (
            calibrate_apart(seen, [True]).thresholds[0],
            calibrate_apart(seen, [False]).thresholds[0],
        )
        assert abs(drawn - 0.5) < abs(free - 0.5)
        assert calibrate_apart(replace(seen, gold=np.asarray([0])), [True]).thresholds[0] == 0.5

    def test_labels_without_examples_keep_what_they_had(self, schema: LabelSchema, folder: Path):
        config = IsnadConfig(
            calibration={"entity": {"ORG": [1.5, 0.5, -1.0], "PERS": [1.0, 1.0, 0.0]}, "relation": {}},
            entity_thresholds={"ORG": 0.3, "PERS": 0.6},
        )
        inherited = inherited_decisions(config, label_changes(schema, _schema(folder)).sources)
        assert inherited == {"COMPANY": ((1.5, 0.5, -1.0), 0.3), "PERS": ((1.0, 1.0, 0.0), 0.6)}
        fitted = Calibration(np.ones((3, 3), dtype=np.float32), np.full(3, 0.5, dtype=np.float32))
        labels = ("PERS", "COMPANY", "WEAPON")
        kept = with_inherited(fitted, np.asarray([7, 0, 0]), labels, inherited)
        np.testing.assert_allclose(kept.thresholds, [0.5, 0.3, 0.5])
        np.testing.assert_allclose(kept.scaling[1], [1.5, 0.5, -1.0])


class TestRows:
    def test_nearest_descriptions(self):
        vectors = {
            "A": torch.tensor([1.0, 5.0]),
            "B": torch.tensor([-1.0, 5.0]),
            "N": torch.tensor([0.4, 5.0]),
        }
        assert nearest_labels(vectors, ["A", "B"], ["N"]) == {"N": "A"}
        assert nearest_labels(vectors, [], ["N"]) == {}

    def test_rows_that_are_started_know_something(self, folder: Path):
        """Before the first step they rank the marked spans of unseen sentences above most others."""
        new = _schema(folder)
        documents = _sentences(24)
        ranks = {}
        for how in ("random", "description", "examples"):
            torch.manual_seed(3)
            model, tokenizer = load_model(FinetuneConfig(encoder=EncoderConfig(path="isnad-small")), new)
            start = row_starter(how, new, ("WEAPON", "SANCTION", "armed_with"), documents[:16])
            assert (start is None) == (how == "random")
            before = model.relation_head.output.weight[new.relation_index["visited"]].clone()
            if start is not None:
                start(model, tokenizer)
            assert torch.equal(before, model.relation_head.output.weight[new.relation_index["visited"]])
            ranks[how] = _rank(model.eval(), tokenizer, new, documents[16:])
        assert ranks["description"] < 0.5 * ranks["random"] and ranks["examples"] < 0.1 * ranks["random"], (
            ranks
        )
        assert row_starter("examples", new, (), documents) is None


@torch.no_grad()
def _rank(model: IsnadModel, tokenizer: Any, schema: LabelSchema, documents: Sequence[Document]) -> float:
    """Return the mean share of spans that score above a gold WEAPON."""
    maker = WindowMaker(tokenizer, max_pieces=96, overlap_pieces=16)
    row, shares = schema.entity_index["WEAPON"], []
    for document in documents:
        for example in build_examples(document, maker, schema):
            batch = Collator(0)([[example]])
            batch.pop("gold")
            logits = model(**batch).span_logits[0, ..., row]
            possible = logits[logits > -9e3]
            for (first, last), types in zip(example.spans, example.types, strict=True):
                if types[row]:
                    shares.append(float((possible > logits[first, last]).float().mean()))
    return float(np.mean(shares))


class TestPlan:
    def test_what_is_decided(self, folder: Path, tiny_model: Path):
        plan = plan_extension(_settings(folder, tiny_model))
        assert {"WEAPON", "SANCTION"} <= plan.annotates and "COMPANY" not in plan.annotates
        assert plan.config.distil.teachers == (str(tiny_model),) and plan.config.epochs == 1
        assert plan.config.keep == "last" and plan.config.name == "arms"
        text = "\n".join(plan.notes)
        for part in (
            "new: WEAPON, SANCTION, armed_with",
            "renamed: ORG → COMPANY",
            "cut off the data",
            "rehearsal 0.5",
        ):
            assert part in text
        assert any("armed_with has no example to learn from" in w for w in plan.warnings)
        assert {d.id for d in plan.new}.isdisjoint(d.id for d in plan.new_dev.documents)
        assert len({d.id for d in plan.dev}) == len(plan.dev)
        # Half of what is shown would be rehearsal, but the few old lines are not shown more than four times an epoch.
        new, rehearsal = plan.sources
        assert new.weight == 5 and rehearsal.weight == 4
        once = plan_extension(_settings(folder, tiny_model, extend={"repeat": 1.0, "rehearsal": 0.2}))
        lines = sum(bool(line.strip()) for d in rehearsal.documents for line in d.text.splitlines())
        assert once.sources[1].weight * lines == pytest.approx(0.25 * len(once.new))
        assert len(plan_extension(_settings(folder, tiny_model), share=0.25).new) == round(len(plan.new) / 4)

    def test_a_teacher_speaks_the_new_names(self, folder: Path, tiny_model: Path, tmp_path: Path):
        plan = plan_extension(_settings(folder, tiny_model))
        teacher = IsnadModel.from_pretrained(write_teacher(plan, tmp_path))
        base = IsnadModel.from_pretrained(tiny_model)
        assert "COMPANY" in teacher.schema.entity_labels and "ORG" not in teacher.schema.entity_labels
        assert all(torch.equal(a, b) for a, b in zip(teacher.parameters(), base.parameters(), strict=True))
        (tmp_path / "plain.yaml").write_text("name: p\nextends: wojood\nentities: [{name: WEAPON}]\n")
        same = _settings(folder, tiny_model, data={
            "train": [str(folder / "weapons.jsonl")], "schema": str(tmp_path / "plain.yaml"),
        })  # fmt: skip
        only = [restrict(d, {"WEAPON"}) for d in _sentences(24)]
        write_documents(only, folder / "weapons.jsonl", format="jsonl", schema=_schema(folder))
        assert write_teacher(plan_extension(same), tmp_path) == str(tiny_model)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"data": {"train": []}}, ConfigError, "no new data; accepted: annotated documents with --data"),
            ({"augment": {"noise": 0.1}}, ConfigError, "augment is set"),
            ({"extend": {"rehersal": 1}}, ConfigError, "unknown key 'rehersal'; did you mean 'rehearsal'"),
            (
                {"extend": {"rows": "zero"}},
                ConfigError,
                "rows is 'zero'; accepted: random, description, examples",
            ),
            (
                {"extend": {"measure": ["seeds:authord"]}},
                DataError,
                "extend.measure.*unknown source 'seeds:authord'",
            ),
            ({"method": "half"}, ConfigError, "method is 'half'; accepted: full, head, lora"),
            ({"lora": {"rank": 0}}, ConfigError, "rank 0"),
        ],
    )
    def test_faults(
        self, folder: Path, tiny_model: Path, change: dict[str, Any], error: type[Exception], message: str
    ):
        settings = _settings(folder, tiny_model)
        for key, value in change.items():
            settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
        with pytest.raises(error, match=message):
            plan_extension(settings)

    def test_no_text_is_learned_and_measured(self, folder: Path, tiny_model: Path, tmp_path: Path):
        settings = _settings(folder, tiny_model, extend={"rehearse": [str(folder / "measure.jsonl")]})
        with pytest.raises(DataError, match=r"is measured \(measure-1-.*and learned \(rehearse-1-"):
            plan_extension(settings)
        # A line of a new document is enough, whatever stands around it.
        [first, *_] = _sentences(1)
        other = replace(first, text=first.text + "\nسطر آخر", id="other")
        write_documents([other], tmp_path / "dev.jsonl", format="jsonl", schema=_schema(folder))
        settings = _settings(folder, tiny_model)
        settings["data"] = {**settings["data"], "dev": [str(tmp_path / "dev.jsonl")]}
        with pytest.raises(DataError, match=r"is measured \(new-25\) and learned \(new-01\)"):
            plan_extension(settings)


class TestRun:
    def test_the_extended_model(self, run: Path, folder: Path):
        model = Extractor.from_pretrained(run / "model")
        assert model.schema == _schema(folder)
        assert set(model.config.entity_thresholds) == set(model.schema.entity_labels)
        metrics = json.loads((run / "model/metrics.json").read_text(encoding="utf-8"))
        assert {"new_span_f1", "old_span_f1", "span_f1"} <= metrics["dev"].keys()
        record = json.loads((run / "model/extension.json").read_text(encoding="utf-8"))
        assert record["history"]["ORG"] == ["COMPANY"] and record["sources"]["WEAPON"] == []
        saved = yaml.safe_load((run / "model/training.yaml").read_text(encoding="utf-8"))
        assert saved["extend"]["rehearsal"] == 0.5 and saved["distil"]["teachers"] == [str(run / "teacher")]

    def test_an_extension_of_an_extension(self, run: Path, folder: Path, tmp_path: Path):
        """The second one knows that the shipped ORG is COMPANY by now, and measures WEAPON nowhere on old texts."""
        (tmp_path / "more.yaml").write_text(
            f"name: more\nextends: {run / 'model'}\nentities: [{{name: CALIBRE}}, {{name: FIRM, from: COMPANY}}]\n",
            encoding="utf-8",
        )
        schema = LabelSchema.from_yaml(tmp_path / "more.yaml")
        documents = [
            replace(d, entities=tuple(replace(e, label="CALIBRE") for e in d.entities))
            for d in _sentences(12)
        ]
        write_documents(documents, tmp_path / "new.jsonl", format="jsonl", schema=schema)
        settings = _settings(
            folder, run / "model", extend={"rehearse": [], "measure": ["seeds:authored/dev"]}
        )
        settings["data"] = {"train": [str(tmp_path / "new.jsonl")], "schema": str(tmp_path / "more.yaml")}
        plan = plan_extension(settings)
        [old, new] = plan.measured
        assert "FIRM" in old.labels and not {"WEAPON", "CALIBRE", "COMPANY"} & old.labels
        assert new.labels == {"CALIBRE"} and plan.history["ORG"] == ("FIRM",)
        assert counts(old.documents)["FIRM"] > 20

    def test_before_and_after(self, run: Path, folder: Path, tiny_model: Path):
        plan = plan_extension(_settings(folder, tiny_model))
        read = read_old(plan, Extractor.from_pretrained(run / "model"))
        assert "ORG→COMPANY" in read.schema.entity_labels and "WEAPON" not in read.schema.entity_labels
        assert counts(read.gold)["ORG→COMPANY"] == counts(plan.old[0].documents)["ORG"]
        base = Extractor.from_pretrained(tiny_model)
        found = counts(base.pipe((d.id, d.text) for d in plan.old[0].documents))
        before = counts(read.before)
        assert before["ORG→COMPANY"] == found["ORG"] and before["PERS"] == found["PERS"]


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
