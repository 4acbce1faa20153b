"""Model against model: what is worse is found where it is, nothing is found where nothing is."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from isnad.eval.benchmark.compare import BETTER, WORSE, compare_models
from isnad.eval.benchmark.registry import Record, Registry
from isnad.eval.evaluate import evaluate
from isnad.model.document import Document, Relation
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

TEXT = "زار قاآني بغداد"


def documents(
    count: int, kept: Iterable[str] = ("PERS", "GPE", "visited"), missed: int = 0
) -> list[Document]:
    """Documents with a person, a city and a relation; labels not in `kept` are left out of the first `missed`."""
    made = []
    for n in range(count):
        names = {"PERS", "GPE", "visited"} if n >= missed else set(kept)
        mentions = [("قاآني", "PERS"), ("بغداد", "GPE")]
        entities = tuple(
            make_entity(TEXT, TEXT.index(m), TEXT.index(m) + 5, label, id=f"T{i}")
            for i, (m, label) in enumerate(mentions, 1)
            if label in names
        )
        related = len(entities) == 2 and "visited" in names
        relations = (Relation("T1", "visited", "T2"),) if related else ()
        made.append(Document(TEXT, entities, relations, id=f"d-{n:02}"))
    return made


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "r.sqlite")


@pytest.fixture
def enter(registry: Registry, schema: LabelSchema) -> Callable[..., Record]:
    def add(model: str, predicted: list[Document], **changes: object) -> Record:
        record = Record(
            model=model,
            model_hash=f"{model:x<12}",
            spec=f"runs/{model}",
            kind="isnad",
            data="mine",
            data_hash="d0",
            schema_hash=schema.hash,
            labels_hash="l",
            code_hash="c",
            convention="char",
            flat=False,
            revision="r",
            made="2026-01-01T00:00:00Z",
            scores={},
            evaluation=evaluate(documents(len(predicted)), predicted, schema),
        )
        record = replace(record, **changes)  # type: ignore[arg-type]
        registry.add(record)
        return record

    return add


def test_what_got_worse(registry: Registry, enter: Callable[..., Record]):
    """20 documents, B misses the city of 12 of them: city and relation are worse, the person is not."""
    enter("before", documents(20))
    enter("after", documents(20, kept=("PERS",), missed=12))
    (found,) = compare_models(registry, "before", "after")
    verdicts = {c.label: c.verdict for c in found.changes}
    assert (
        verdicts["GPE"]
        == verdicts["visited"]
        == verdicts["all entities"]
        == verdicts["all relations"]
        == WORSE
    )
    assert verdicts["PERS"] not in (WORSE, BETTER)
    city = next(c.difference for c in found.changes if c.label == "GPE")
    assert (city.a, city.support) == (1.0, 20) and city.b == pytest.approx(2 * 8 / (2 * 8 + 12))
    assert {c.label for c in found.regressions} == {"GPE", "visited", "all entities", "all relations"}
    (back,) = compare_models(registry, "after", "before")
    assert {c.verdict for c in back.changes if c.label != "PERS"} == {BETTER} and not back.regressions
    (strict,) = compare_models(registry, "before", "after", alpha=1e-6)
    assert not strict.regressions


def test_chance_is_no_regression(registry: Registry, enter: Callable[..., Record]):
    enter("before", documents(20))
    enter("after", documents(20, kept=("PERS",), missed=1))
    (found,) = compare_models(registry, "before", "after")
    assert found.comparison.spans.difference < 0 and not found.regressions


def test_which_results_are_compared(registry: Registry, enter: Callable[..., Record]):
    enter("a", documents(8))
    enter("a", documents(8), data="other", data_hash="d1", convention="word", made="2026-01-02T00:00:00Z")
    enter("b", documents(8))
    old = enter("b", documents(8, kept=(), missed=8), code_hash="c0", made="2025-01-01T00:00:00Z")
    (found,) = compare_models(registry, "runs/a", "bxxxxx")
    assert found.b.data == "mine" and found.b.code_hash != old.code_hash, "the newest result counts"
    with pytest.raises(ConfigError, match=r"b was not measured on 'other'; known: mine"):
        compare_models(registry, "a", "b", data="other")
    enter("c", documents(8), data="third", data_hash="d2")
    with pytest.raises(DataError, match="never on the same documents"):
        compare_models(registry, "a", "c")
    with pytest.raises(ConfigError, match="'z' is not in the registry"):
        compare_models(registry, "a", "z")
    with pytest.raises(ConfigError, match=r"alpha is 1\.5"):
        compare_models(registry, "a", "b", alpha=1.5)


def test_newest_version_of_a_name(registry: Registry, enter: Callable[..., Record]):
    enter("a", documents(8))
    enter("b", documents(8, kept=(), missed=8), model_hash="old")
    enter("b", documents(8), model_hash="new", made="2026-02-01T00:00:00Z")
    (found,) = compare_models(registry, "a", "b")
    assert found.b.model_hash == "new"


class TestCommand:
    def test_exit_codes(
        self, isnad: Callable, refused: Callable, registry: Registry, enter: Callable[..., Record]
    ):
        enter("before", documents(20))
        enter("after", documents(20, kept=("PERS",), missed=12))
        option = ("--registry", registry.path)
        worse = isnad("compare", "before", "after", *option, "--fail-on-regression")
        assert (
            worse.exit_code == 1 and "significantly worse: all entities on mine, GPE on mine" in worse.stderr
        )
        row = next(line for line in worse.stdout.splitlines() if "GPE" in line)
        assert "100.0" in row and "57.1" in row and "-42.9" in row and "worse" in row
        assert isnad("compare", "before", "after", *option).exit_code == 0
        assert isnad("compare", "after", "before", *option, "--fail-on-regression").exit_code == 0
        refused(isnad("compare", "before", "aftr", *option, "--fail-on-regression"), "did you mean 'after'?")

    def test_json(self, isnad: Callable, registry: Registry, enter: Callable[..., Record]):
        enter("before", documents(20))
        enter("after", documents(20, kept=("PERS",), missed=12))
        done = isnad("compare", "before", "after", "--registry", registry.path, "-f", "json")
        (found,) = json.loads(done.stdout)
        assert found["a"]["model"] == "before" and "GPE" in found["regressions"]
        assert found["comparison"]["entity_labels"]["GPE"]["difference"] < 0

    def test_few_documents(self, isnad: Callable, registry: Registry, enter: Callable[..., Record]):
        enter("before", documents(5))
        enter("after", documents(5, kept=(), missed=5))
        done = isnad("compare", "before", "after", "--registry", registry.path, "--fail-on-regression")
        assert done.exit_code == 0 and "5 documents cannot show a difference at 0.05" in done.stdout
