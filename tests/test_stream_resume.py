"""Runs that are killed go on without loss or duplicate; what is not the same run is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isnad.model.inference import Extractor
from isnad.model.stream import Journal
from isnad.model.stream.parts import Part
from streaming import stream, written
from typer.testing import Result

Command = Callable[..., Result]

PROSE = "زار قاآني بغداد {} مرات، ثم سافرَ إلى بيروت للقاء نصرالله."
ROWS: list[dict[str, Any]] = [
    *({"id": f"n{n}", "text": PROSE.format(n) * (1 + n % 3)} for n in range(7)),
    {"id": "bad", "text": None},
    *({"id": f"n{n}", "text": f"سافر حسن نصر الله من دمشق إلى بغـــداد {n}"} for n in range(8, 16)),
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def extractor(tiny_model: Path) -> Extractor:
    return Extractor.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Lines in two files and a folder of texts between them."""
    folder = tmp_path_factory.mktemp("inputs")
    texts = folder / "texts"
    texts.mkdir()
    for name in ("a", "b", "c"):
        (texts / f"{name}.txt").write_text(f"التقى قاسم سليماني وفداً في {name}\n", encoding="utf-8")
    for name, rows in (("one.jsonl", ROWS[:10]), ("two.jsonl", ROWS[10:])):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return [folder / "one.jsonl", texts, folder / "two.jsonl"]


@pytest.fixture(scope="module")
def undisturbed(
    extractor: Extractor, inputs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """The files of runs that nobody killed, by format."""
    found = {}
    for format in ("jsonl", "csv", "parquet"):
        folder = tmp_path_factory.mktemp(format)
        counts = stream(extractor, inputs, folder, format)
        assert (counts["documents"], counts["errors"]) == (18, 1) and counts["relations"] > 0
        found[format] = written(folder)
        assert len(found[format]) == (11 if format == "csv" else 6)
    return found


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(monkeypatch: pytest.MonkeyPatch, point: str, number: int) -> None:
    """Have this process killed at a point of part `number`, as `kill -9` or the kernel would do it."""
    add, publish, commit, append = Part.add, Part.publish, Journal.commit, Journal._append

    def adding(part: Part, document: Any) -> None:
        add(part, document)
        if part._number == number and document.id in ("n5", "texts/b", "b", "n12", "n2"):
            part._writer.files[0].file.flush()
            die()

    def publishing(part: Part) -> dict[str, int]:
        if part._number == number and point == "before the names":
            die()
        if part._number == number and point == "between two names":
            monkeypatch.setattr(os, "replace", lambda *_: die())
            part._writer.finish()
            os.rename(part._writer.files[0]._temporary, part._writer.files[0]._target)
        files = publish(part)
        if part._number == number and point == "before the entry":
            die()
        return files

    def appending(journal: Journal, line: dict[str, Any]) -> None:
        if point == "in the entry" and line.get("part") == number:
            journal._file.write(json.dumps(line).encode()[:40])
            journal._file.flush()
            die()
        if point == "before the end" and "complete" in line:
            die()
        append(journal, line)

    def committing(journal: Journal, *arguments: Any) -> None:
        commit(journal, *arguments)
        if point == "after the entry" and journal.parts == number + 1:
            die()

    if point == "in a part":
        monkeypatch.setattr(Part, "add", adding)
    monkeypatch.setattr(Part, "publish", publishing)
    monkeypatch.setattr(Journal, "_append", appending)
    monkeypatch.setattr(Journal, "commit", committing)


def killed(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch, point: str, number: int) -> None:
    """Do the work in a process that is killed at a point."""
    child = os.fork()
    if child == 0:
        try:
            die_at(monkeypatch, point, number)
            work()
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (point, status)


POINTS = [
    "in a part",
    "before the names",
    "between two names",
    "before the entry",
    "in the entry",
    "after the entry",
    "before the end",
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
class TestKilled:
    @pytest.mark.parametrize("point", POINTS)
    @pytest.mark.parametrize("number", [0, 2])
    def test_once(
        self,
        extractor: Extractor,
        inputs: list[Path],
        undisturbed: dict[str, dict[str, bytes]],
        point: str,
        number: int,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        format = {"before the names": "parquet", "between two names": "csv"}.get(point, "jsonl")
        killed(lambda: stream(extractor, inputs, tmp_path, format), monkeypatch, point, number)
        left = written(tmp_path)
        if point in ("in a part", "before the names", "between two names"):
            assert any(name.endswith(".tmp") for name in left)
        assert stream(extractor, inputs, tmp_path, format)["documents"] == 18
        assert written(tmp_path) == undisturbed[format]

    def test_again_and_again(
        self,
        extractor: Extractor,
        inputs: list[Path],
        undisturbed: dict[str, dict[str, bytes]],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for number in range(4):
            for point in POINTS[:-1]:
                if (number, point) not in ((1, "in a part"), (3, "in a part")):
                    killed(lambda: stream(extractor, inputs, tmp_path, "csv"), monkeypatch, point, number)
        assert stream(extractor, inputs, tmp_path, "csv")["errors"] == 1
        assert written(tmp_path) == undisturbed["csv"]
        again = stream(extractor, inputs, tmp_path, "csv")
        assert again["documents"] == 18 and written(tmp_path) == undisturbed["csv"]

    def test_the_program_itself(
        self, isnad: Command, tiny_model: Path, inputs: list[Path], tmp_path: Path
    ) -> None:
        many = tmp_path / "many.jsonl"
        rows = [{"id": str(n), "text": ROWS[n % 7]["text"] + f" {n}"} for n in range(300)]
        many.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        out = tmp_path / "out"
        arguments = ["extract", str(many), "-m", str(tiny_model), "-o", str(out), "--part-size", "5"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        program = subprocess.Popen(
            [sys.executable, "-m", "isnad.cli", *arguments], env=environment, stderr=subprocess.PIPE
        )
        try:
            manifest, limit = out / "_manifest.jsonl", time.monotonic() + 120
            while not manifest.exists() or manifest.read_bytes().count(b'"part"') < 2:
                assert program.poll() is None and time.monotonic() < limit
                time.sleep(0.01)
        finally:
            program.kill()
            program.communicate()
        assert program.returncode == -signal.SIGKILL
        before = manifest.read_bytes().count(b'"part"')
        assert 2 <= before < 60, "killed too late to tell anything"
        result = isnad(*arguments)
        assert result.exit_code == 0 and "going on after" in result.stderr
        names = sorted(path.name for path in out.iterdir())
        assert names == ["_manifest.jsonl", *(f"part-{n:05d}.jsonl" for n in range(60))]
        again = tmp_path / "again"
        assert isnad(*arguments[:5], again, *arguments[6:]).exit_code == 0
        assert written(out) == written(again)
        lines = [json.loads(line) for n in names[1:] for line in (out / n).read_bytes().splitlines()]
        assert [line["id"] for line in lines] == [row["id"] for row in rows]
