"""Windows of many documents at once: the same as one by one, on several cores, and quiet in forked processes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isnad.model import windows as module
from isnad.model.backends.light import LightTokenizer, load_tokenizer
from isnad.model.document import Document
from isnad.model.windows import Window, WindowMaker

SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}


@pytest.fixture(params=["transformers", "tokenizers"])
def tokenizer(request: pytest.FixtureRequest, tiny_model: Path) -> Any:
    """The tokenizer of the tiny model, with and without transformers."""
    if request.param == "transformers":
        return load_tokenizer(tiny_model)
    return LightTokenizer(tiny_model / "tokenizer.json", SPECIAL)


def plain(windows: list[Window]) -> list[tuple[Any, ...]]:
    return [(w.words, w.core, w.input_ids, w.first, w.last, w.letters.tolist()) for w in windows]


@pytest.mark.parametrize("together", [1, 3])
def test_a_batch_is_its_documents(
    tokenizer: Any, articles: list[Document], monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    texts = [*(a.text for a in articles), "", " \n", "قَاآنِيّ بغـــداد 🇮🇶 ٢٠٢٤ ﻟﻠﻌﺮاق", articles[0].text]
    maker = WindowMaker(tokenizer, max_pieces=64, overlap_pieces=8)
    expected = [plain(list(maker.windows(text))) for text in texts]
    maker.forget()
    lists: list[int] = []
    encoded = WindowMaker._encoded

    def watched(self: WindowMaker, parts: list[list[str]]) -> Any:
        lists.append(len(parts))
        return encoded(self, parts)

    monkeypatch.setattr(WindowMaker, "_encoded", watched)
    monkeypatch.setattr(module, "cores", lambda: together)
    assert [plain(found) for found in maker.batch(texts)] == expected
    assert lists == [together]  # all that is new goes to the tokenizer once
    maker.batch(texts)
    assert len(lists) == 1  # and nothing of it again


def test_long_texts_are_taken_in_blocks(
    tokenizer: Any, articles: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["\n".join(a.text for a in articles[:3]), "", articles[3].text]
    maker = WindowMaker(tokenizer, max_pieces=64, overlap_pieces=8)
    expected = [plain(list(maker.windows(text))) for text in texts]
    for size in (1, 300, 10**6):
        monkeypatch.setattr(module, "_WORDS_A_BLOCK", size)
        assert len(list(module._blocks(texts))) > (3 if size < 10**6 else 0)
        assert [plain(found) for found in maker.batch(texts)] == expected


def test_few_words_stay_on_one_core(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: pytest.fail("asked for cores"))
    maker = WindowMaker(tokenizer)
    assert len(maker.batch(["زار قاآني بغداد.", "عاد."])) == 2


def test_forked_processes_say_nothing(tiny_model: Path) -> None:
    code = """
import os, sys
from isnad.model import windows
from isnad.model.backends.light import LightTokenizer
windows.cores, windows._WORDS_A_CORE = lambda: 2, 2
maker = windows.WindowMaker(LightTokenizer(sys.argv[1], {"pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]"}))
texts = ["زار قاآني بغداد ثم عاد إلى طهران", "التقى قادة الحشد"]
alone = [w.input_ids for ws in maker.batch(texts) for w in ws]
for _ in range(2):
    maker.forget()
    child = os.fork()
    if not child:
        os._exit(0 if [w.input_ids for ws in maker.batch(texts) for w in ws] == alone else 3)
    assert os.waitpid(child, 0)[1] == 0
    assert "TOKENIZERS_PARALLELISM" not in os.environ
"""
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_model / "tokenizer.json")],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
