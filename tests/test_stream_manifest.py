"""The manifest of a run: what is not the same run, or no longer whole, is refused."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from isnad.model.errors import ConfigError
from isnad.model.inference import Extractor
from isnad.model.stream import Journal
from streaming import stream, written
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def extractor(tiny_model: Path) -> Extractor:
    return Extractor.from_pretrained(tiny_model)


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """Lines in two files, one of them faulty, and a folder of texts between them."""
    folder = tmp_path / "inputs"
    (folder / "texts").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (folder / "texts" / f"{name}.txt").write_text(f"التقى قاسم سليماني وفداً في {name}", encoding="utf-8")
    for name, count in (("one.jsonl", 9), ("two.jsonl", 6)):
        texts: list[str | None] = [f"زار قاآني بغداد {n} مرات" for n in range(count)]
        texts[5] = None
        lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts]
        (folder / name).write_text("".join(lines), encoding="utf-8")
    return [folder / "one.jsonl", folder / "texts", folder / "two.jsonl"]


@pytest.fixture
def begun(extractor: Extractor, inputs: list[Path], tmp_path: Path) -> tuple[Path, list[Path]]:
    """A run that is not complete, and its inputs."""
    out = tmp_path / "out"
    stream(extractor, inputs, out, "jsonl")
    manifest = out / "_manifest.jsonl"
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:3]))
    return out, inputs


def test_another_run_is_refused(extractor: Extractor, begun: tuple[Path, list[Path]], tmp_path: Path) -> None:
    out, paths = begun
    before = written(out)
    with pytest.raises(ConfigError, match=r"format is 'csv' and was 'jsonl'.*--overwrite"):
        stream(extractor, paths, out, "csv")
    with pytest.raises(ConfigError, match=r"text_key is 'body' and was None"):
        stream(extractor, paths, out, "jsonl", text_key="body")
    with pytest.raises(ConfigError, match=r"there are 2 inputs and there were 3"):
        stream(extractor, paths[:2], out, "jsonl")
    with pytest.raises(ConfigError, match=r"the input .*two.jsonl has another size than .*one.jsonl had"):
        stream(extractor, [paths[2], paths[1], paths[0]], out, "jsonl")
    text = paths[0].read_bytes()
    paths[0].write_bytes(text.replace("قاآني".encode(), "سليما".encode()))
    with pytest.raises(ConfigError, match=r"one.jsonl has another sha256_of_ends"):
        stream(extractor, paths, out, "jsonl")
    paths[0].write_bytes(text + b"\n")
    with pytest.raises(ConfigError, match=r"one.jsonl has another size"):
        stream(extractor, paths, out, "jsonl")
    assert written(out) == before
    # Only touched, and moved: the same run.
    paths[0].write_bytes(text)
    os.utime(paths[0], (1, 1))
    moved = paths[0].parent.rename(tmp_path / "moved")
    stream(extractor, [moved / path.name for path in paths], out, "jsonl")
    assert sum(1 for name in written(out) if name.startswith("part-")) == 5


def test_a_damaged_run_is_refused(extractor: Extractor, begun: tuple[Path, list[Path]]) -> None:
    out, paths = begun
    part, manifest = out / "part-00001.jsonl", out / "_manifest.jsonl"
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    with pytest.raises(ConfigError, match=r"part-00001.jsonl is missing or not as the run left it"):
        stream(extractor, paths, out, "jsonl")
    part.write_bytes(whole)
    entries = manifest.read_bytes()
    manifest.write_bytes(b"hello\n")
    with pytest.raises(ConfigError, match="not a manifest of isnad"):
        stream(extractor, paths, out, "jsonl")
    manifest.unlink()
    with pytest.raises(ConfigError, match=r"holds _errors-00001.jsonl but no _manifest.jsonl"):
        stream(extractor, paths, out, "jsonl")
    assert not manifest.exists()
    manifest.write_bytes(entries)
    assert stream(extractor, paths, out, "jsonl")["documents"] == 16


def test_two_runs_at_once_are_refused(begun: tuple[Path, list[Path]]) -> None:
    pytest.importorskip("fcntl")
    out, _ = begun
    header = json.loads((out / "_manifest.jsonl").read_bytes().splitlines()[0])
    with Journal.open(out, header), pytest.raises(ConfigError, match="another run is writing into"):
        Journal.open(out, header)
    Journal.open(out, header).__exit__()


def test_overwrite_and_other_settings_of_the_command(
    isnad: Command, refused: Refused, tiny_model: Path, inputs: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("extract", inputs[2], "-m", tiny_model, "-o", out)
    assert isnad(*command, "--part-size", 2).exit_code == 3
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    refused(isnad(*command), "part_size is 5000 and was 2", "--overwrite")
    refused(isnad(*command, "--part-size", 2, "--threshold", "0.9"), "thresholds is ['0.9'] and was []")
    model = shutil.copytree(tiny_model, tmp_path / "model")
    config = model / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"tiny"', '"other"'), encoding="utf-8")
    (model / "manifest.json").unlink()
    other = ("extract", inputs[2], "-m", model, "-o", out, "--part-size", 2)
    refused(isnad(*other), "name is 'other' and was 'tiny'", "sha256 is")
    result = isnad(*command, "--overwrite", "-f", "csv")
    assert result.exit_code == 3, result.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "_errors-00000.jsonl",
        "_manifest.jsonl",
        "notes.txt",
        "part-00000.entities.csv",
        "part-00000.relations.csv",
    ]
