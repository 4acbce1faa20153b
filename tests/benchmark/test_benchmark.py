"""The benchmark: data, the cache, and the folder that a run writes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from isnad.eval.benchmark.adapters import Candidate
from isnad.eval.benchmark.cache import PART, cache_key, predictions
from isnad.eval.benchmark.data import BenchmarkData, load_data, slug
from isnad.eval.benchmark.labels import Classes, translate_labels
from isnad.eval.benchmark.predict import translated
from isnad.eval.benchmark.run import Settings, prepare, run_benchmark
from isnad.eval.evaluate import evaluate
from isnad.eval.evaluation import Evaluation
from isnad.eval.given_entities import GivenEntityExtractor
from isnad.eval.word_level import score_corpus, tags_of
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError, IsnadError
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data.corpora import load_corpus

COLUMNS = """زار O
قاآني B-PERS
وبغداد B-LOC
وزارة B-ORG
النفط I-ORG

للإسلام B-MISC
في O
نهر B-LOC
دجلة I-LOC
"""
LABELS = {"PERS": ["PERS"], "ORG": ["ORG"], "LOC": ["GPE", "LOC", "FAC"], "MISC": []}


def corpus(tmp_path: Path, **keys: object) -> str:
    """Write a small corpus and return its name for --data."""
    (tmp_path / "words.txt").write_text(COLUMNS, encoding="utf-8")
    config = {
        "name": "mine",
        "paths": [str(tmp_path / "words.txt")],
        "separator": "space",
        "labels": LABELS,
        "dev_share": 0.99,
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(config | keys, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return f"corpus:{path}/dev"


def document(text: str, *mentions: tuple[str, str], id: str = "a") -> Document:
    entities = []
    for n, (part, label) in enumerate(mentions, 1):
        at = text.index(part)
        entities.append(make_entity(text, at, at + len(part), label, id=f"T{n}"))
    return Document(text, tuple(entities), id=id)


class Fixed:
    """A model that finds given mentions wherever they stand, and remembers what it was asked."""

    def __init__(self, schema: LabelSchema, mentions: Sequence[tuple[str, str]], fails_at: int = -1) -> None:
        self.schema, self.mentions, self.fails_at = schema, mentions, fails_at
        self.loads, self.asked = 0, 0

    def candidate(self, **changes: object) -> Candidate:
        made = Candidate("fixed", "fixed", "hf", self.schema, "m0", "c0", 1, self.load)
        return replace(made, **changes)  # type: ignore[arg-type]

    def load(self) -> "Fixed":
        self.loads += 1
        return self

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        self.asked += len(items)
        if 0 <= self.fails_at < self.asked:
            raise KeyboardInterrupt
        return [document(t, *((m, x) for m, x in self.mentions if m in t), id=i) for i, t in items]


class TestData:
    def test_conventions_follow_the_data(self, tmp_path: Path, schema: LabelSchema):
        seeds = load_data("seeds:articles", schema)
        assert (seeds.convention, seeds.flat, seeds.slug, len(seeds.documents)) == (
            "char", False, "seeds-articles", 5,
        )  # fmt: skip
        names = load_data(corpus(tmp_path), schema)
        assert (names.convention, names.flat, names.slug) == ("word", True, "corpus-mine-dev")
        assert names.schema.entity_labels == ("PERS", "ORG", "LOC", "MISC") and not names.schema.relations
        assert load_data("seeds:articles", schema, convention="word", flat=True).flat

    def test_a_corpus_scored_with_our_labels(self, tmp_path: Path, schema: LabelSchema):
        """By hand: وبغداد is right as a whole word, دجلة is another span, MISC has no label and is missed."""
        data = load_data(corpus(tmp_path), schema)
        model = Fixed(schema, [("قاآني", "PERS"), ("بغداد", "GPE"), ("زار", "OCC"), ("دجلة", "LOC")])
        labels = translate_labels(schema.entity_labels, data.classes, model="m", data=data.name)
        found = translated(model.predict([(d.id, d.text) for d in data.documents]), data, labels, "m")
        counts = evaluate(
            data.documents, found, data.schema, convention=data.convention, flat=data.flat
        ).entities
        assert {k: c.to_list() for k, c in counts.items()} == {
            "PERS": [1, 0, 0],
            "ORG": [0, 0, 1],
            "LOC": [1, 1, 1],
            "MISC": [0, 0, 1],
        }

    def test_equal_to_the_tags_of_a_flat_corpus(self, tmp_path: Path, schema: LabelSchema, tiny_model: Path):
        """`eval.word_level` scores one IOB2 tag a token, as seqeval does; here spans are compared instead."""
        name = corpus(tmp_path)
        data = load_data(name, schema)
        read = load_corpus(name.removeprefix("corpus:").removesuffix("/dev"), "dev")
        extractor = Extractor.from_pretrained(tiny_model, thresholds=0.01)
        wanted = score_corpus(extractor, read, tags_of(read, schema.entity_labels)).labels
        labels = translate_labels(schema.entity_labels, data.classes, model="m", data=data.name)
        found = translated(list(extractor.pipe((d.id, d.text) for d in data.documents)), data, labels, "m")
        counts = evaluate(data.documents, found, data.schema, convention="word", flat=True).entities
        assert counts == wanted and counts.micro.predicted

    @pytest.mark.parametrize(
        ("documents", "message"),
        [
            ([], "no documents"),
            ([("a", "بغداد"), ("a", "دمشق")], "different texts under one id, 'a'"),
            ([("a", "بغداد"), ("a", "بغداد")], "the same text under one id, 'a'"),
            ([("a", "بغداد"), ("", "دمشق")], "document 2 has no id"),
        ],
    )
    def test_faults(
        self, tmp_path: Path, schema: LabelSchema, documents: list[tuple[str, str]], message: str
    ):
        path = tmp_path / "data.jsonl"
        lines = [Document(text, id=id_).to_json(indent=None) for id_, text in documents]
        path.write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(DataError, match=message):
            load_data(str(path), schema)

    def test_unknown_labels_and_numbered_ids(self, tmp_path: Path, schema: LabelSchema):
        path = tmp_path / "data.jsonl"
        path.write_text(document("في بغداد", ("بغداد", "CITY"), id="").to_json(indent=None), encoding="utf-8")
        with pytest.raises(DataError, match="CITY"):
            load_data(str(path), schema)
        path.write_text(Document("في بغداد").to_json(indent=None) + "\n" + Document("أ").to_json(indent=None))
        assert [d.id for d in load_data(str(path), schema).documents] == ["document-1", "document-2"]

    def test_slug(self):
        assert slug("seeds:authored/dev") == "seeds-authored-dev"
        assert slug("a--b") == "a-b" and slug("///") == "unnamed"


@pytest.fixture
def many(schema: LabelSchema) -> BenchmarkData:
    """More documents than a part holds."""
    texts = [f"وصل قاآني إلى بغداد\u2028في اليوم {n}" for n in range(2 * PART + 3)]
    gold = tuple(document(t, ("قاآني", "PERS"), id=f"d-{n:03}") for n, t in enumerate(texts))
    return BenchmarkData(
        "many", "many", gold, schema, Classes.same(schema.entity_labels), "d0", "char", False
    )


class TestCache:
    def test_reused_and_keyed(self, tmp_path: Path, schema: LabelSchema, many: BenchmarkData):
        model = Fixed(schema, [("قاآني", "PERS")])
        first = list(predictions(model.candidate(), many, tmp_path))
        again = list(predictions(model.candidate(), many, tmp_path))
        assert [p.documents for p in first] == [p.documents for p in again]
        assert (model.loads, model.asked) == (1, len(many.documents))
        assert not any(p.reused for p in first) and all(p.reused for p in again)
        assert [p.seconds for p in first] == [p.seconds for p in again]
        keys = {
            cache_key(model.candidate(**change), replace(many, **of_data))
            for change, of_data in (
                ({}, {}),
                ({"hash": "m1"}, {}),
                ({"code": "c1"}, {}),
                ({}, {"hash": "d1"}),
            )
        }
        assert len(keys) == 4
        # Its name is no part of what a model finds.
        assert cache_key(model.candidate(name="else"), many) in keys

    def test_interrupted_run_goes_on(self, tmp_path: Path, schema: LabelSchema, many: BenchmarkData):
        cut = Fixed(schema, [("قاآني", "PERS")], fails_at=PART + 1)
        with pytest.raises(KeyboardInterrupt):
            list(predictions(cut.candidate(), many, tmp_path))
        whole = Fixed(schema, [("قاآني", "PERS")])
        parts = list(predictions(whole.candidate(), many, tmp_path))
        assert [p.reused for p in parts] == [True, False, False]
        assert whole.asked == len(many.documents) - PART
        assert [d.text for p in parts for d in p.documents] == [d.text for d in many.documents]
        assert not list(tmp_path.rglob("*.tmp"))

    @pytest.mark.parametrize("damage", ["", "{}\n", "no json", "cut", "other"])
    def test_damaged_parts_are_made_again(
        self, tmp_path: Path, schema: LabelSchema, many: BenchmarkData, damage: str
    ):
        model = Fixed(schema, [("قاآني", "PERS")])
        good = list(predictions(model.candidate(), many, tmp_path))
        path = tmp_path / cache_key(model.candidate(), many) / "00001.jsonl"
        text = path.read_text(encoding="utf-8")
        other = (path.parent / "00000.jsonl").read_text(encoding="utf-8")
        path.write_text({"cut": text[: len(text) // 2], "other": other}.get(damage, damage), encoding="utf-8")
        again = list(predictions(model.candidate(), many, tmp_path))
        assert [p.reused for p in again] == [True, False, True]
        assert [p.documents for p in again] == [p.documents for p in good]

    def test_a_model_that_loses_documents(self, tmp_path: Path, schema: LabelSchema, many: BenchmarkData):
        model = Fixed(schema, [])
        model.predict = lambda items: []  # type: ignore[method-assign]
        with pytest.raises(DataError, match="predictions of other texts"):
            list(predictions(model.candidate(), many, tmp_path))


class TestRun:
    def test_folder(self, tmp_path: Path, tiny_model: Path, schema: LabelSchema):
        settings = Settings(
            models=(f"a={tiny_model}", f"b={tiny_model}"),
            data=("seeds:articles", corpus(tmp_path)),
            baseline="b",
            slices=True,
            seen=("seeds:articles",),
            samples=50,
        )
        out = tmp_path / "out"
        results = run_benchmark(prepare(settings), out)
        header = json.loads((out / "benchmark.json").read_text(encoding="utf-8"))
        assert header["baseline"] == "b" and [m["name"] for m in header["models"]] == ["a", "b"]
        assert {p.name for p in (out / "results").iterdir()} == {
            f"{m}--{d}.json" for m in "ab" for d in ("seeds-articles", "corpus-mine-dev")
        }
        content = json.loads((out / "results/a--seeds-articles.json").read_text(encoding="utf-8"))
        gold, predicted = (
            [
                Document.from_dict(json.loads(x))
                for x in (out / f"{p}.jsonl").read_text("utf-8").split("\n")
                if x
            ]
            for p in ("gold/seeds-articles", "predictions/a--seeds-articles")
        )
        evaluation = Evaluation.from_dict(content["evaluation"])
        given = list(GivenEntityExtractor.from_pretrained(tiny_model).pipe(gold))
        assert evaluation == evaluate(gold, predicted, schema, given=given)
        assert content["slices"]["all"]["entities"] == evaluation.entities.micro.to_list()
        assert content["slices"]["seen"]["support"] == evaluation.entities.micro.support
        assert (
            set(content["hashes"]) == {"model", "data", "code"} and content["calibration"]["spans"]["n"] > 0
        )
        # The same weights under two names: predicted once, equal scores.
        assert [r.reused for r in results] == [False, True, False, True]
        assert results[0].evaluation == results[1].evaluation
        (out / "speed.json").write_text(json.dumps({"hashes": {"a": "else"}}), encoding="utf-8")
        rerun = run_benchmark(prepare(replace(settings, models=(f"a={tiny_model}",), baseline="")), out)
        assert all(r.reused for r in rerun) and rerun[0].evaluation == evaluation
        assert not list((out / "results").glob("b--*")), "results of another run are gone"
        assert not (out / "speed.json").exists(), "times of other models are gone"

    def test_robustness(self, tmp_path: Path, tiny_model: Path):
        settings = Settings(models=(str(tiny_model),), data=("seeds:articles",), robustness=True, samples=10)
        plan = prepare(settings)
        plan = replace(plan, data=(replace(plan.data[0], documents=plan.data[0].documents[:1]),))
        (result,) = run_benchmark(plan, tmp_path / "out")
        found = result.content["robustness"]
        assert found and all(0 <= r["f1"] <= 1 and r["documents"] == 1 for r in found.values())
        assert any(r["changed"] for r in found.values())

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"baseline": "c"}, "the baseline 'c' is none of the models; known: a"),
            ({"data": ()}, "no data"),
            ({"data": ("seeds:articles", "seeds:articles")}, "names 2 data sets"),
            ({"data": ("seeds:articels",)}, "did you mean 'seeds:articles'"),
            ({"models": ()}, "no models"),
            ({"maps": ("none",)}, "no file 'none'"),
        ],
    )
    def test_faults(self, tiny_model: Path, change: dict[str, object], message: str):
        settings = Settings(models=(f"a={tiny_model}",), data=("seeds:articles",))
        with pytest.raises(IsnadError, match=message):
            prepare(replace(settings, **change))  # type: ignore[arg-type]

    def test_other_folders_are_left_alone(self, tmp_path: Path, tiny_model: Path):
        (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
        with pytest.raises(ConfigError, match="holds no benchmark"):
            run_benchmark(prepare(Settings(models=(str(tiny_model),), data=("seeds:articles",))), tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
