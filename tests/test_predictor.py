"""`Predictor` as the engines call it: columns in, columns out, pickled without weights, one model a process."""

import json
import multiprocessing
import os
import pickle
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError
from isnad.model.inference import Extractor
from isnad.model.predictor import Predictor

TEXTS = [
    "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.",
    "ثم سافرَ إلى بيـــروت للقاء حسن نصرالله ٢٠٢٠.\r\nوعاد 🇮🇶",
    "",
    "وصل وزير الخارجية الإيراني إلى دمشق ثم بيروت",
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def found(tiny_model: Path) -> list[Document]:
    """What the model finds, asked without a predictor."""
    documents = list(Extractor.from_pretrained(tiny_model).pipe((str(n), t) for n, t in enumerate(TEXTS)))
    assert sum(len(d.entities) for d in documents) > 5
    return documents


def check(result: dict[str, list[Any]], found: list[Document]) -> None:
    for key in ("entities", "relations", "clusters"):
        for value, document in zip(result[key], found, strict=True):
            expected = document.to_dict()[key]
            if key != "clusters":
                value = [item | {"score": round(item["score"], 4)} for item in value]
            assert value == expected
    assert result["error"] == [None] * len(found)


def batches() -> dict[str, Any]:
    """One batch as each of the engines hands it over."""
    ids = list(range(len(TEXTS)))
    kinds: dict[str, Any] = {
        "lists": {"id": ids, "text": TEXTS},
        "numpy": {"id": np.asarray(ids), "text": np.asarray(TEXTS, dtype=object)},
        "strings of numpy": {"id": np.asarray(ids), "text": np.asarray(TEXTS)},
    }
    if find_spec("pyarrow"):
        import pyarrow

        kinds["arrow"] = pyarrow.table({"id": ids, "text": TEXTS})
        kinds["arrays of arrow"] = {"id": pyarrow.array(ids), "text": pyarrow.array(TEXTS)}
    if find_spec("pandas"):
        import pandas

        kinds["pandas"] = pandas.DataFrame({"id": ids, "text": TEXTS})
    return kinds


def test_every_kind_of_batch(tiny_model: Path, found: list[Document]) -> None:
    predictor = Predictor(tiny_model)
    for batch in batches().values():
        result = predictor(batch)
        assert list(result) == ["id", "text", "entities", "relations", "clusters", "error"]
        assert result["id"] == [0, 1, 2, 3] and type(result["id"][0]) is int and result["text"] == TEXTS
        check(result, found)
    assert list(Predictor(tiny_model, keep=False)({"text": []})) == list(predictor.columns())


def test_as_json(tiny_model: Path, found: list[Document]) -> None:
    result = Predictor(tiny_model, as_json=True, prefix="isnad_")({"text": TEXTS, "id": list("0123")})
    assert list(result) == ["text", "id", "isnad_document", "isnad_error"]
    assert [json.loads(d) for d in result["isnad_document"]] == [d.to_dict() for d in found]


def test_bad_documents(tiny_model: Path, found: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    from isnad.model.windows import WindowMaker

    whole = WindowMaker.batch

    def batch(self: WindowMaker, texts: list[str]) -> Any:
        if "سيء" in texts:
            raise RuntimeError("لا\nيمكن")
        return whole(self, texts)

    monkeypatch.setattr(WindowMaker, "batch", batch)
    bad = ["سيء", None, float("nan"), 5, b"x", "ب\ud83d", np.zeros(2)]
    texts = [t for pair in zip(bad, [*TEXTS, *TEXTS[:3]], strict=True) for t in pair]
    result = Predictor(tiny_model, keep=False)({"text": texts})
    check({key: values[1::2] for key, values in result.items()}, [*found, *found[:3]])
    errors = result["error"][::2]
    assert errors[0] == "RuntimeError: لا يمكن"
    assert errors[1] == errors[2] == "the text is null; accepted: a string"
    assert errors[3] == "the text is of type int; accepted: a string" and "bytes" in errors[4]
    assert "half of a surrogate pair" in errors[5] and "ndarray" in errors[6]
    assert all(result[key][::2] == [[]] * 7 for key in ("entities", "relations", "clusters"))
    as_json = Predictor(tiny_model, as_json=True)({"text": ["سيء", "ب\ud83d"]})
    assert as_json["document"][0] is None and json.loads(as_json["document"][1])["text"] == "ب\ud83d"


def test_what_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown option 'treshold'; did you mean 'thresholds'\?"):
        Predictor(tiny_model, treshold=0.5)
    predictor = Predictor(tiny_model)
    with pytest.raises(ConfigError, match=r"no column 'text' \(text_key\); did you mean 'texts'\?"):
        predictor({"texts": TEXTS})
    with pytest.raises(ConfigError, match=r"a column 'entities' already; pass prefix='isnad_'"):
        predictor({"text": TEXTS, "entities": TEXTS})
    with pytest.raises(DataError, match=r"a column is a single text; .* batched=True"):
        predictor({"text": TEXTS[0]})
    with pytest.raises(DataError, match="found a batch of type list"):
        predictor(TEXTS)
    with pytest.raises(DataError, match="unequal lengths: text 4, id 1"):
        predictor({"text": TEXTS, "id": [1]})


def test_pickles_are_names_and_every_process_loads_once(tiny_model: Path, found: list[Document]) -> None:
    predictor = Predictor(tiny_model, thresholds={"PERS": 0.5})
    before = pickle.dumps(predictor)
    predictor({"text": TEXTS})
    assert pickle.dumps(predictor) == before and len(before) < 1000
    copy = pickle.loads(before)
    assert copy.extractor is predictor.extractor
    assert Predictor(tiny_model).extractor is not predictor.extractor
    check(Predictor(tiny_model)({"text": TEXTS, "id": list("0123")}), found)


def test_a_model_that_is_trained_anew_is_loaded_anew(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    predictor = Predictor(folder)
    first = predictor.extractor
    assert predictor.extractor is first
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert predictor.extractor is not first


def test_relative_folders_are_found_from_anywhere(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_model.parent)
    predictor = Predictor("tiny")
    monkeypatch.chdir(tmp_path)
    assert predictor({"text": TEXTS[:1]})["error"] == [None]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes(
    tiny_model: Path, found: list[Document], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    predictor = Predictor(tiny_model)
    if method == "fork":
        # The parent has used the threads of torch, which its children do not have.
        torch.set_num_threads(2)
        predictor({"text": TEXTS})
        _ = torch.ones(1000, 1000) @ torch.ones(1000, 1000)
    try:
        with multiprocessing.get_context(method).Pool(2 if method == "fork" else 1) as pool:
            batch = {"text": TEXTS, "id": list("0123")}
            answers = pool.map_async(predictor, [batch] * 3, chunksize=1).get(timeout=120)
            threads = pool.apply_async(torch.get_num_threads).get(timeout=60)
    finally:
        torch.set_num_threads(1)
    for answer in answers:
        check(answer, found)
    assert threads == 1


@pytest.mark.parametrize("processes", [None, 2])
def test_datasets_map(tiny_model: Path, found: list[Document], processes: int | None) -> None:
    datasets = pytest.importorskip("datasets")
    # The first batch has no entity at all, from which no types could be guessed.
    rows = [{"text": "لا", "id": "x"}] * 2 + [{"text": t, "id": str(n)} for n, t in enumerate(TEXTS)]
    dataset = datasets.Dataset.from_list(rows)
    predictor = Predictor(tiny_model, thresholds=None)
    features = datasets.Features.from_arrow_schema(predictor.arrow_schema(dataset.features.arrow_schema))
    done = dataset.map(
        predictor,
        batched=True,
        batch_size=2,
        num_proc=processes,
        features=features,
        load_from_cache_file=False,
    )
    assert done.column_names == ["text", "id", "entities", "relations", "clusters", "error"]
    check(done[2:], found)
    assert done["text"][2:] == TEXTS
