"""One Extractor in threads, processes and event loops; streams that never end and texts that are too long."""

import asyncio
import itertools
import multiprocessing
import os
import pickle
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from isnad.model.attempts import attempt
from isnad.model.batching import batches
from isnad.model.document import Document
from isnad.model.errors import IsnadError
from isnad.model.inference import Extractor

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def extractor(tiny_model: Path) -> Extractor:
    extractor = Extractor.from_pretrained(tiny_model)
    extractor.config.max_candidates = 12
    return extractor


@pytest.fixture(scope="module")
def texts(articles: list[Document]) -> list[str]:
    return [p for a in articles for p in a.text.splitlines() if p.strip()][:30]


@pytest.fixture(scope="module")
def alone(extractor: Extractor, texts: list[str]) -> list[dict[str, Any]]:
    """What one thread finds, text by text."""
    found = [extractor(text).to_dict() for text in texts]
    assert sum(len(d["entities"]) for d in found) > 50
    return found


# -- batches ---------------------------------------------------------------------------------------------


def test_batches_end_as_soon_as_they_are_full() -> None:
    taken: list[int] = []

    def lengths() -> Iterator[int]:
        for length in (3, 3, 3, 9, 50, 1, 0, 0, 0, 0, 2):
            taken.append(length)
            yield length

    stream = batches(lengths(), size=4, characters=10, length=lambda n: n)
    assert next(stream) == [3, 3, 3, 9] and taken == [3, 3, 3, 9]
    assert list(stream) == [[50], [1, 0, 0, 0], [0, 2]]
    for options in ({"batch_size": 0}, {"batch_chars": 0}):
        with pytest.raises(IsnadError, match=f"{next(iter(options))} is 0; accepted: 1 or more"):
            next(Extractor.pipe(object.__new__(Extractor), ["أ"], **options))


def test_batches_change_nothing(extractor: Extractor, texts: list[str], alone: list[dict[str, Any]]) -> None:
    for options in ({"batch_size": 1}, {"batch_size": 7}, {"batch_size": 100}, {"batch_chars": 500}):
        assert [d.to_dict() for d in extractor.pipe(texts, **options)] == alone


class Text(str):
    """A text that can be watched."""


def test_an_endless_stream_needs_no_more_than_a_batch(extractor: Extractor) -> None:
    alive = pulled = 0
    most = ahead = 0

    def gone(_: object) -> None:
        nonlocal alive
        alive -= 1

    watches = []

    def stream() -> Iterator[str]:
        nonlocal alive, pulled, most
        for n in itertools.count():
            text = Text(f"زار قاآني بغداد {n}")
            watches.append(weakref.ref(text, gone))
            alive, pulled = alive + 1, pulled + 1
            most = max(most, alive)
            yield text
            del text

    documents = extractor.pipe(stream(), batch_size=8)
    for n in range(200):
        document = next(documents)
        assert document.text == f"زار قاآني بغداد {n}"
        ahead = max(ahead, pulled - n - 1)
    assert ahead < 8 and most <= 2 * 8 + 2


def test_a_book_among_tweets_is_scored_by_itself(
    extractor: Extractor, articles: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = "\n".join(a.text for a in articles)
    scored: list[int] = []
    whole = extractor._backend.score

    def score(windows: Any) -> Any:
        scored.append(len(windows))
        return whole(windows)

    monkeypatch.setattr(extractor._backend, "score", score)
    stream = ["نصر", book, "بغداد", book, "دمشق", "بيروت"]
    found = list(extractor.pipe(stream, batch_chars=len(book)))
    assert [d.text for d in found] == stream
    n = len(list(extractor._maker.windows(book)))
    assert n > 20 and scored == [n + 1, n + 1, 2]


def test_failures_take_the_place_of_their_documents(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = extractor._maker.batch, 0

    def batch(texts: list[str]) -> Any:
        nonlocal calls
        calls += len(texts)
        for text in texts:
            if "سيء" in text:
                raise RuntimeError(text)
        return whole(texts)

    monkeypatch.setattr(extractor._maker, "batch", batch)
    texts = [f"{'سيء' if n in (5, 40) else 'بغداد'} {n}" for n in range(64)]
    found = list(attempt(extractor, ((str(n), text) for n, text in enumerate(texts))))
    assert [str(f) if isinstance(f, Exception) else f.text for f in found] == texts
    assert [n for n, f in enumerate(found) if isinstance(f, RuntimeError)] == [5, 40]
    assert all(f.__traceback__ is None for f in found if isinstance(f, Exception))
    assert calls < 64 * 5

    def interrupted(texts: list[str]) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(extractor._maker, "batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(attempt(extractor, [("1", "نص")]))


# -- threads, processes, event loops ---------------------------------------------------------------------


def test_threads(extractor: Extractor, texts: list[str], alone: list[dict[str, Any]]) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert [d.to_dict() for d in pool.map(extractor, texts)] == alone
        streams = [pool.submit(lambda: [d.to_dict() for d in extractor.pipe(texts)]) for _ in range(3)]
        assert all(stream.result(timeout=120) == alone for stream in streams)


def test_asyncio(extractor: Extractor, texts: list[str], alone: list[dict[str, Any]]) -> None:
    async def main() -> list[Document]:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.001)
                beats += 1

        heart = asyncio.create_task(beat())
        found = await asyncio.wait_for(
            asyncio.gather(*(asyncio.to_thread(extractor, text) for text in texts)), timeout=120
        )
        heart.cancel()
        assert beats > 3, "the loop stood still"
        return found

    assert [d.to_dict() for d in asyncio.run(main())] == alone


def test_a_pickled_extractor_finds_the_same(
    extractor: Extractor, texts: list[str], alone: list[dict[str, Any]]
) -> None:
    copy = pickle.loads(pickle.dumps(extractor))
    assert copy is not extractor and [copy(text).to_dict() for text in texts[:5]] == alone[:5]


def test_spawned_processes(
    extractor: Extractor, texts: list[str], alone: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # With another number of threads sums are formed in another order.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply_async(extractor, (texts[:5],)).get(timeout=120)
    assert [d.to_dict() for d in found] == alone[:5]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_do_not_wait_for_threads_that_are_gone(
    extractor: Extractor, texts: list[str], alone: list[dict[str, Any]]
) -> None:
    # The parent computes on several threads, in a region large enough for them to be started. None computes at the
    # moment of the fork: what a library had locked then would stay locked in the child, whoever forks.
    torch.set_num_threads(4)
    computed, stop = threading.Event(), threading.Event()

    def busy() -> None:
        extractor(texts)
        computed.set()
        stop.wait()

    thread = threading.Thread(target=busy)
    try:
        _ = torch.ones(1000, 1000) @ torch.ones(1000, 1000)
        thread.start()
        assert computed.wait(60)
        children = []
        for _ in range(2):
            child = os.fork()
            if child == 0:
                code = 3
                try:
                    same = [d.to_dict() for d in extractor(texts[:5])] == alone[:5]
                    code = 0 if same and torch.get_num_threads() == 1 else 4
                finally:
                    os._exit(code)
            children.append(child)
        codes = [wait(child, seconds=60) for child in children]
    finally:
        stop.set()
        thread.join()
        torch.set_num_threads(1)
    assert codes == [0, 0]


def wait(child: int, *, seconds: float) -> int:
    """Return the exit code of a process, -1 if it hangs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -1
