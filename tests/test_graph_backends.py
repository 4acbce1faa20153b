"""The backends that run exports: the same documents as torch, without torch, in threads and in other processes."""

import json
import multiprocessing
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model import processes
from isnad.model.backends.choice import installed
from isnad.model.backends.graph_backend import GraphBackend, candidates, logit
from isnad.model.document import Document
from isnad.model.inference import Extractor
from isnad.model.modeling import IsnadModel
from isnad.model.predictor import Predictor
from isnad.model.processes import threads
from isnad.training.export import export_onnx
from isnad.training.export_check import compare
from isnad.training.export_openvino import export_openvino

pytest.importorskip("onnx")
pytestmark = pytest.mark.openvino

EXPORTS = {"onnx": export_onnx, "openvino": export_openvino}
RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}

# Vowel marks, kashida, joined and divided names, digits of both kinds, presentation forms, emoji, a lone surrogate,
# a word of marks only, two directions in a line, paragraphs from one word up to several windows.
HARD = [
    "",
    "قاآني",
    "التقى إسمـــاعيل قَاآنِيّ في بغـداد قادةَ الحشدِ الشعبيّ.",
    "حسن نصرالله وحسن نصر الله في ٢٠٢٤/10/٣ 🇱🇧🤝 \u200fبيروت\u200e Beirut (لبنان)",
    "\ufe8d\ufedf\ufeee\ufeb0\ufbfe\ufeae الأول\n\n\u064b\u064c \ud800 .\r\nوبالقاهرة",
    " ".join(f"زار المسؤول رقم {n} مدينة بغداد." for n in range(60)),
]


@pytest.fixture(scope="module", params=EXPORTS)
def exported(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Folder of an export, whose name is that of the backend."""
    if not installed(RUNTIMES[request.param]):
        pytest.skip(f"{RUNTIMES[request.param]} is not installed")
    return EXPORTS[request.param](tiny_model, tmp_path_factory.mktemp("export") / request.param)


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def load(path: Path, **kwargs: Any) -> Extractor:
    extractor = Extractor.from_pretrained(path, **kwargs)
    extractor.config.max_candidates = 12
    return extractor


def plain(documents: list[Document]) -> list[Any]:
    """Documents without their scores, which may differ in the sixth place."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: rounded(v) for k, v in value.items() if k != "score"}
        return [rounded(v) for v in value] if isinstance(value, list) else value

    return [rounded(document.to_dict()) for document in documents]


# -- parity ----------------------------------------------------------------------------------------------


def test_the_same_documents_and_scores_as_torch(
    tiny_model: Path, exported: Path, articles: list[Document]
) -> None:
    texts = [*(a.text for a in articles), *HARD]
    parity, ours, theirs = compare(load(tiny_model), load(exported), texts)
    assert parity.same and parity.span_changes == 0
    assert parity.entities > 50 and parity.relations > 5 and parity.clusters > 2 and parity.pairs > 100
    assert max(parity.span_difference, parity.pair_difference) < 1e-3
    assert plain(ours) == plain(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose([e.score for e in a.entities], [e.score for e in b.entities], atol=1e-3)
        assert np.allclose([r.score for r in a.relations], [r.score for r in b.relations], atol=1e-3)


def test_a_window_scores_the_same_alone_and_in_a_batch(exported: Path, articles: list[Document]) -> None:
    extractor = load(exported)
    windows = [w for a in articles[:2] for w in extractor._maker.windows(a.text)]
    together = extractor._backend.score(windows)
    assert len({len(w.words) for w in windows}) > 3
    for window, batched in zip(windows, together, strict=True):
        (alone,) = extractor._backend.score([window])
        assert alone.spans.tolist() == batched.spans.tolist() and alone.cut == batched.cut
        assert alone.pairs.tolist() == batched.pairs.tolist()
        assert np.allclose(alone.logits, batched.logits, atol=1e-4)
        assert np.allclose(alone.pair_logits, batched.pair_logits, atol=1e-4)
        assert np.allclose(alone.vectors, batched.vectors, atol=1e-5)


def test_pairs_beyond_one_call_are_scored_in_parts(
    exported: Path, articles: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = load(exported)
    whole = extractor(articles[0].text)
    assert whole.relations
    monkeypatch.setattr("isnad.model.backends.graph_backend._PAIR_CELLS", 1)
    assert plain([extractor(articles[0].text)]) == plain([whole])


def test_thresholds_and_what_is_cut(tiny_model: Path, exported: Path, articles: list[Document]) -> None:
    text = articles[0].text
    strict = [load(path, thresholds=0.9)(text) for path in (tiny_model, exported)]
    assert plain(strict[:1]) == plain(strict[1:]) and strict[0].entities
    cuts = []
    for path in (tiny_model, exported):
        extractor = load(path)
        cuts.append([s.cut for s in extractor._backend.score(list(extractor._maker.windows(text)))])
    assert cuts[0] == cuts[1] and max(cuts[0]) > 0


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_candidates_are_those_of_the_model(data: st.DataObject) -> None:
    windows, words, limit = (data.draw(st.integers(1, n)) for n in (4, 6, 20))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    logits = rng.permutation(windows * words * words * 2).reshape(windows, words, words, 2)
    logits = (logits / logits.size * 12 - 6).astype(np.float32)

    class Model:
        config = type("C", (), {"prune_threshold": 0.3, "max_candidates": limit})

    wanted = IsnadModel.candidates(Model, torch.from_numpy(logits))  # type: ignore[arg-type]
    spans, over = candidates(logits.max(-1), logit(0.3), limit)
    assert spans.tolist() == wanted.spans.tolist()
    assert over.tolist() == (logits.max(-1) > np.log(0.3 / 0.7)).sum((1, 2)).tolist()


def test_logits_of_certainty() -> None:
    assert logit(0) == -np.inf and logit(1) == np.inf and logit(0.5) == 0


# -- without torch ---------------------------------------------------------------------------------------

WITHOUT = """
import importlib.abc, json, sys

class Refuse(importlib.abc.MetaPathFinder):
    names = {"torch", "transformers", "safetensors", "yaml", "onnx", "rich", "typer", "regex", "networkx"}
    names |= {"onnxruntime", "openvino"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
"""


def without_torch(code: str, runtime: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run code in an interpreter that cannot import anything but the runtime."""
    start = f"{WITHOUT}\nRefuse.names -= {{{runtime!r}}}\n"
    command = [sys.executable, "-c", start + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def test_runs_where_torch_and_transformers_cannot_be_imported(
    exported: Path, tiny_model: Path, articles: list[Document]
) -> None:
    code = """
from isnad import Extractor
texts = json.loads(sys.argv[2])
documents = Extractor.from_pretrained(sys.argv[1])(texts)
print(json.dumps([d.to_dict() for d in documents]))
assert repr(documents[0]).startswith("Document(") and documents[0].to_html() and documents[0].to_brat()
assert not Refuse.names & set(sys.modules), Refuse.names & set(sys.modules)
"""
    texts = [articles[0].text, *HARD]
    done = without_torch(code, RUNTIMES[exported.name], exported, json.dumps(texts))
    assert done.returncode == 0, done.stderr
    found = [Document.from_dict(data) for data in json.loads(done.stdout)]
    assert plain(found) == plain(Extractor.from_pretrained(exported, backend=exported.name)(texts))
    assert plain(found) == plain(Extractor.from_pretrained(tiny_model)(texts)) and found[0].relations


def test_the_command_line_runs_without_torch_too(exported: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(HARD[2], encoding="utf-8")
    code = """
Refuse.names -= {"rich", "typer", "yaml"}
from isnad.cli import main
sys.argv = ["isnad", *sys.argv[1:]]
main()
"""
    done = without_torch(code, RUNTIMES[exported.name], "extract", text, "-m", exported, "-f", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == HARD[2]


def test_a_model_with_torch_weights_says_what_it_needs(tiny_model: Path) -> None:
    code = "from isnad import Extractor\nExtractor.from_pretrained(sys.argv[1])"
    done = without_torch(code, "", tiny_model)
    assert "ConfigError: the torch backend needs torch and transformers, not installed here" in done.stderr
    assert "export the model to ONNX" in done.stderr


# -- threads and processes -------------------------------------------------------------------------------


def test_threads_get_the_same_answers(exported: Path, articles: list[Document]) -> None:
    extractor = load(exported)
    wanted = extractor(articles[0].text)
    found: list[Document] = []
    workers = [threading.Thread(target=lambda: found.append(extractor(articles[0].text))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert found == [wanted] * 4


def test_pickled_it_needs_its_folder_no_longer(folder: Path) -> None:
    extractor = load(folder)
    wanted = extractor(HARD[2])
    content = pickle.dumps(extractor)
    shutil.rmtree(folder)
    again = pickle.loads(content)
    assert again(HARD[2]) == wanted and pickle.loads(pickle.dumps(again))(HARD[2]) == wanted


def _answer(extractor: Extractor, text: str, queue: Any) -> None:
    queue.put(extractor(text).to_dict())


def _answers(extractor: Extractor, texts: list[str], queue: Any) -> None:
    queue.put([d.to_dict() for d in extractor(texts)])


@pytest.mark.skipif(not hasattr(sys, "getrefcount") or sys.platform != "linux", reason="forks")
def test_a_forked_process_gets_the_same_answer(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # threads of the runtime, which the child will not have
    extractor = load(exported)
    extractor._backend._budget = 64  # type: ignore[attr-defined]
    wanted = extractor(HARD[2]).to_dict()
    many = [d.to_dict() for d in extractor(HARD)]  # on threads of our own, which it will not have either
    context = multiprocessing.get_context("fork")
    queue: Any = context.Queue()
    child = context.Process(target=_answer, args=(extractor, HARD[2], queue))
    child.start()
    assert queue.get(timeout=60) == wanted
    child.join(60)
    assert child.exitcode == 0
    child = context.Process(target=_answers, args=(extractor, HARD, queue))
    child.start()
    assert queue.get(timeout=60) == many
    child.join(60)
    assert extractor(HARD[2]).to_dict() == wanted


def test_as_many_batches_as_threads_are_scored_at_once(
    exported: Path, articles: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*(a.text for a in articles), *HARD]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    wanted = load(exported)(texts)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    extractor, callers = load(exported), set()
    backend: Any = extractor._backend
    backend._budget = 256
    batch = GraphBackend._batch

    def watched(self: Any, windows: Any, graphs: Any) -> Any:
        callers.add((threading.current_thread().name.partition("_")[0], len(self._opened)))
        return batch(self, windows, graphs)

    with monkeypatch.context() as patched:
        patched.setattr(GraphBackend, "_batch", watched)
        assert plain([extractor(HARD[2])]) == plain([wanted[len(articles) + 2]])
        assert callers == {("MainThread", 1)}  # one batch gets all threads, and nothing more is opened
        callers.clear()
        assert plain(extractor(texts)) == plain(wanted)
        assert callers == {("isnad", 2)}
    again = pickle.loads(pickle.dumps(extractor))
    assert plain(again(texts)) == plain(wanted) and len(again._backend._opened) == 2


def test_a_batch_that_fails_among_several_says_so(
    exported: Path, articles: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    extractor = load(exported)
    backend: Any = extractor._backend
    monkeypatch.setattr(backend, "_call", lambda graph, inputs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        extractor([a.text for a in articles])


def test_threads_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    assert threads() >= 1


def test_a_predictor_says_how_many_threads(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(processes, "_wanted", None)  # put back in the end
    before = torch.get_num_threads()
    try:
        backend: Any = Predictor(exported, threads=2).extractor._backend
        assert backend._threads == threads() == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
