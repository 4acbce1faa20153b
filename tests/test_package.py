"""The built wheel, installed where nothing else of this repository is, works offline from anywhere."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from isnad import __version__
from isnad.model.store import DEFAULT_MODEL, EMBEDDED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SHORT = "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.\r\nثم سافر إلى بيروت للقاء حسن نصرالله."


@dataclass(frozen=True)
class Installed:
    """The command of an installation, run from a folder that has nothing to do with the repository."""

    program: Path
    home: Path

    def __call__(self, *arguments: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        command = [str(self.program), *map(str, arguments)]
        return subprocess.run(
            command, input=stdin, capture_output=True, cwd=self.home, env=variables, check=False
        )

    def tried(self) -> str:
        """Return the addresses that were tried since the last call."""
        notes = self.home / "tried"
        text = notes.read_text(encoding="utf-8") if notes.exists() else ""
        notes.unlink(missing_ok=True)
        return text


# Run by every interpreter of the test environment: the network is closed, and who tries it is written down.
GUARD = """
import pathlib, socket

def refuse(*address, **_):
    with (pathlib.Path.home() / "tried").open("a") as file:
        print(address, file=file)
    raise OSError("the network is closed in this test")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree so that no build folder of before gets into it."""
    top = tmp_path_factory.mktemp("build")
    ignored = shutil.ignore_patterns(
        ".*", "__pycache__", "runs", "out", "build", "dist", "*.egg-info", "*.tmp", "*.old"
    )
    copy = shutil.copytree(ROOT, top / "isnad", ignore=ignored)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        top,
        copy,
    ]
    done = subprocess.run([*map(str, command), "--quiet"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = top.glob("*.whl")
    assert built.name == f"isnad-{__version__}-py3-none-any.whl"
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The command `isnad` of a fresh virtual environment that has the wheel and no other isnad.

    Its dependencies are not downloaded again: a .pth file adds the folder where they are installed for this
    test run. The .pth files in that folder itself, among them the editable isnad, are not read that way.
    """
    top = tmp_path_factory.mktemp("elsewhere")
    home, environment = top / "home", top / "venv"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (packages / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    python = environment / "bin/python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        wheel,
    ]
    subprocess.run([*map(str, install)], check=True, capture_output=True)

    where = subprocess.run(
        [str(python), "-c", "import isnad; print(isnad.__file__)"],
        capture_output=True,
        text=True,
        cwd=home,
        check=True,
    )
    assert Path(where.stdout.strip()) == packages / "isnad/__init__.py"
    return Installed(environment / "bin/isnad", home)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = {n for n in names if not n.startswith(f"isnad-{__version__}.dist-info/")}
    assert all(n.startswith("isnad/") for n in files), "nothing but `isnad` lands in site-packages"
    for folder in ("cli", "eval", "model", "training"):
        ours = {"isnad/" + p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*.py")}
        assert ours <= files, f"not in the package list of pyproject.toml: {sorted(ours - files)}"
    expected = {p.relative_to(ROOT).as_posix() for p in ROOT.glob("*.py")}
    expected |= {p.relative_to(ROOT).as_posix() for p in (ROOT / "configs").rglob("*.yaml")}
    expected |= {f"model/render/{p.name}" for p in (ROOT / "model/render").iterdir() if p.is_file()}
    expected |= {"py.typed", "cli/app.py", "model/render/viewer.css", "model/render/document.schema.json"}
    missing = {f"isnad/{n}" for n in expected} - files
    assert not missing
    kinds = {Path(n).suffix for n in files}
    assert kinds <= {
        ".py",
        ".yaml",
        ".json",
        ".html",
        ".css",
        ".js",
        ".typed",
        ".safetensors",
        ".onnx",
        ".md",
        ".svg",
        ".txt",
    }
    for unwanted in ("tests", "seeds", "runs", ".ci", "Makefile"):
        assert not [n for n in files if n.startswith(f"isnad/{unwanted}")], unwanted


def test_metadata(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"isnad-{__version__}.dist-info/METADATA").decode()
        entry = archive.read(f"isnad-{__version__}.dist-info/entry_points.txt").decode()
    assert "Requires-Python: >=3.11" in text and "License-Expression: Apache-2.0" in text
    assert "isnad = isnad.cli:main" in entry
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation and f"## [{__version__}]" in changes


def test_version_and_help(installed: Installed):
    assert installed("--version").stdout == f"isnad {__version__}\n".encode()
    assert installed("extract", "--help").returncode == 0


def test_extracts_with_a_model_folder(installed: Installed, tiny_model: Path):
    done = installed("extract", "-", "--model", tiny_model, "--format", "json", stdin=SHORT.encode())
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads(done.stdout)
    assert document["text"] == SHORT
    for entity in document["entities"]:
        assert SHORT[entity["start"] : entity["end"]] == entity["text"]
    page = installed("extract", "-", "--model", tiny_model, "-o", "page.html", stdin=SHORT.encode())
    assert page.returncode == 0, page.stderr.decode()
    assert installed.tried() == "", "extraction may not reach for the network"


def test_what_only_the_repository_has_is_named(installed: Installed, tmp_path: Path):
    done = installed("convert", "seeds:articles", tmp_path / "a.jsonl", "--to", "jsonl")
    assert done.returncode == 2 and b"belong to the repository, not to the installed package" in done.stderr


def test_new_labels_without_the_shipped_texts(installed: Installed, tiny_model: Path):
    """Where there are none to rehearse and measure old labels on, it says what to give instead."""
    (installed.home / "arms.yaml").write_text("name: arms\nextends: wojood\nentities: [{name: WEAPON}]\n")
    lines = ["# a | خبر | x", "سقط [صاروخ|WEAPON] قرب البيت.", "رأينا [دبابة|WEAPON] في الشارع."]
    (installed.home / "new.txt").write_text("\n".join(lines), encoding="utf-8")
    options = ["train", "--base", tiny_model, "--data", "new.txt", "--schema", "arms.yaml", "-o", "run"]
    done = installed(*options)
    assert done.returncode == 2 and b"error: extend.measure: " in done.stderr, done.stderr.decode()
    for part in (b"not to the installed package", b"--set extend.measure=[PATH]"):
        assert part in done.stderr, done.stderr.decode()


def test_only_a_hub_name_reaches_for_the_network(installed: Installed):
    """It says so in one sentence where there is none; this also shows that the guard works."""
    done = installed("info", "owner/name")
    assert done.returncode == 2 and done.stderr.startswith(b"error: cannot fetch the model 'owner/name'")
    assert done.stderr.count(b"\n") == 1 and installed.tried() != ""


class TestEmbeddedModel:
    def test_is_in_the_wheel(self, wheel: Path):
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        for file in (EMBEDDED / DEFAULT_MODEL).rglob("*"):
            assert file.is_dir() or "isnad/" + file.relative_to(ROOT).as_posix() in names
        models = {n.split("/")[3] for n in names if n.startswith("isnad/model/pretrained/")}
        assert models == {DEFAULT_MODEL}, "one model is enough to download"

    def test_extracts_offline(self, installed: Installed):
        done = installed("extract", "-", "--format", "json", stdin=SHORT.encode())
        assert done.returncode == 0, done.stderr.decode()
        document = json.loads(done.stdout)
        names = {e["name"] for e in document["entities"]}
        assert document["model"] == DEFAULT_MODEL and {"إسماعيل قاآني", "بغداد", "بيروت"} <= names
        assert installed.tried() == ""

    def test_describes_itself(self, installed: Installed):
        done = installed("info")
        assert done.returncode == 0 and DEFAULT_MODEL in done.stdout.decode()
