"""Leave-one-out, stored results and the README tables made from them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from isnad.eval import evaluate
from isnad.eval.loo import leave_one_out
from isnad.eval.stored import data_hash, load_result, save_result
from isnad.eval.tables import RESULTS, pages, update
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data.seeds import load_authored


class Parrot:
    """Knows the annotation of every text it was trained on, and nothing else."""

    def __init__(self) -> None:
        self.known: dict[str, Document] = {}

    def fit(self, train: Sequence[Document], dev: Sequence[Document]) -> None:
        self.known = {d.text: d for d in train}

    def predict(self, documents: Sequence[Document]) -> list[Document]:
        return [self.known.get(d.text, Document(d.text, id=d.id)) for d in documents]


@pytest.fixture(scope="module")
def dev(schema: LabelSchema) -> list[Document]:
    return load_authored(schema, "dev")[:5]


def test_a_held_out_document_is_never_trained_on(articles, dev, schema) -> None:
    # Listed three times, as in the recipe: every copy must go.
    outcome = leave_one_out(articles, [*articles, *articles, *articles], dev, schema, lambda _: Parrot())
    assert outcome.evaluation.entities.micro.tp == 0
    assert outcome.evaluation.entities.micro.fn == sum(len(d.entities) for d in articles)


def test_a_copy_under_another_id_is_left_out_too(articles, dev, schema) -> None:
    copies = [Document(d.text, d.entities, d.relations, d.clusters, id="copy-" + d.id) for d in articles]
    outcome = leave_one_out(articles, copies, dev, schema, lambda _: Parrot())
    assert outcome.evaluation.entities.micro.tp == 0


def test_a_run_that_was_cut_off_goes_on(articles, dev, schema, tmp_path: Path) -> None:
    trained: list[str] = []

    def system(id_: str) -> Parrot:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(id_)
        return Parrot()

    with pytest.raises(KeyboardInterrupt):
        leave_one_out(articles, articles, dev, schema, system, folder=tmp_path)
    said: list[str] = []
    rest: list[str] = []

    def second(id_: str) -> Parrot:
        rest.append(id_)
        return Parrot()

    leave_one_out(articles, articles, dev, schema, second, folder=tmp_path, progress=said.append)
    assert trained + rest == [d.id for d in articles]
    assert sum("predicted before" in line for line in said) == 2


def test_dev_must_not_hold_a_held_out_document(articles, schema) -> None:
    with pytest.raises(DataError, match="are development documents"):
        leave_one_out(articles, [], articles[:1], schema, lambda _: Parrot())
    with pytest.raises(DataError, match="unique ids"):
        leave_one_out(articles[:1], [], [], schema, lambda _: Parrot())


def test_a_result_is_read_back_with_its_origin(articles, schema, tmp_path: Path) -> None:
    evaluation = evaluate(articles, articles, schema)
    path = tmp_path / "deep" / "result.json"
    save_result(
        path, evaluation, system="gold", data="articles", documents=articles, command="isnad eval", seed=3
    )
    content, again = load_result(path)
    assert again == evaluation
    assert content["data_hash"] == data_hash(list(reversed(articles)))
    assert content["seed"] == 3 and content["command"] == "isnad eval"
    assert content["intervals"]["entities"]["micro"]["f1"] == {"low": 1.0, "high": 1.0}
    assert data_hash(articles[:4]) != content["data_hash"]


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    for text in ("", "[]", json.dumps({"evaluation": {}})):
        path.write_text(text)
        with pytest.raises(DataError, match="not a"):
            load_result(path)


def test_the_pages_show_the_stored_results() -> None:
    for path, sections in pages().items():
        text = path.read_text(encoding="utf-8")
        for name, section in sections.items():
            assert update(text, section, name=name) == text, "run `python -m isnad.eval.tables`"


def test_the_joint_model_beats_its_baselines() -> None:
    scores = {
        key: load_result(RESULTS / f"leave_one_out_{key}.json")[1].entities.micro.f1
        for key in ("joint", "flat", "crf")
    }
    assert scores["joint"] > max(scores["flat"], scores["crf"])
