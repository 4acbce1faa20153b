"""The light install: `pip install isnad[onnx]` without torch and transformers, with the embedded model, offline."""

import json
import os
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from isnad.model.document import Document
from isnad.model.inference import Extractor
from isnad.model.store import DEFAULT_MODEL, EMBEDDED
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytest.importorskip("onnxruntime")

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "seqeval",
    "peft",
    "onnx",
    "openvino",
    "pyarrow",
    "spacy",
}
# Vowel marks, kashida, a joined name, digits of both kinds, two directions, presentation forms, emoji.
TEXTS = [
    "التقى إسمـــاعيل قَاآنِيّ في بغـداد قادةَ الحشدِ الشعبيّ. ثم سافر إلى بيروت للقاء حسن نصرالله.",
    "زار حسن نصر الله في ٢٠٢٤/10/٣ 🇱🇧🤝 \u200fبيروت\u200e Beirut (لبنان)\n\n\ufe8d\ufedf\ufeee\ufeb0\ufbfe\ufeae الأول",
]


@cache
def needed(*extras: str) -> frozenset[str]:
    """The names of all packages that an install brings, as pyproject.toml and the packages themselves say."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(r for e in extras for r in project["optional-dependencies"][e])]
    found: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            wanted += distribution(name).requires or []
        except PackageNotFoundError:  # for another system, or another version than ours
            found.discard(name)
    return frozenset(found)


def absent(*extras: str) -> list[str]:
    """The modules of this environment that such an install does not bring."""
    installed = needed(*extras)
    return sorted(
        module
        for module, owners in packages_distributions().items()
        if not installed & {canonicalize_name(owner) for owner in owners} and module != "isnad"
    )


# Every module that is not to be there cannot be found: as if it were not installed.
LIGHT = """
import json, sys
from importlib.machinery import PathFinder

# Less what the interpreter itself loads as it starts.
ABSENT = set(json.loads(sys.argv.pop(1))) - set(sys.modules)

class Light(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Light
"""
# Runs commands, given as lists of arguments; prints what became of each.
COMMANDS = """
from typer.testing import CliRunner
from isnad.cli import app

found = []
for arguments in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, arguments, prog_name="isnad")
    found.append([result.exit_code, result.stdout, result.stderr, repr(result.exception)])
assert not ABSENT & set(sys.modules), ABSENT & set(sys.modules)
print(json.dumps(found))
"""


def light(code: str, *arguments: object, extras: tuple[str, ...] = ("onnx",)) -> str:
    """Run code where only an install of some extras is there; return what it prints."""
    command = [sys.executable, "-c", LIGHT + code, json.dumps(absent(*extras)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(*wanted: list[object], extras: tuple[str, ...] = ("onnx",)) -> list[Any]:
    lists = [[str(argument) for argument in arguments] for arguments in wanted]
    return list(json.loads(light(COMMANDS, json.dumps(lists), extras=extras)))


def agree(found: Document, expected: Document) -> None:
    """Same entities, relations and clusters; scores within 0.001."""
    ours, theirs = found.to_dict(), expected.to_dict()
    for kind in ("entities", "relations"):
        assert len(ours[kind]) == len(theirs[kind])
        for a, b in zip(ours[kind], theirs[kind], strict=True):
            assert a.pop("score") == pytest.approx(b.pop("score"), abs=1e-3)
    assert ours == theirs
    assert all(found.text[e.start : e.end] == e.text for e in found.entities)


@pytest.fixture(scope="module")
def reference() -> Extractor:
    return Extractor.from_pretrained(backend="torch")


def test_the_light_install_is_light() -> None:
    brought = needed("onnx")
    assert {"numpy", "tokenizers", "onnxruntime", "safetensors"} <= brought
    assert not HEAVY & brought and not {"torch", "transformers", "onnxruntime"} & needed()
    assert HEAVY & set(absent("onnx")) >= {"torch", "transformers"}


def test_the_package_imports_nothing_but_itself() -> None:
    code = "before = set(sys.modules)\nimport isnad\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    loaded = {name.partition(".")[0] for name in json.loads(light(code))}
    assert loaded - sys.stdlib_module_names == {"isnad"}


def test_python_finds_what_torch_finds(reference: Extractor) -> None:
    code = """
import isnad
from isnad.model.predictor import Predictor

texts = json.loads(sys.argv[1])
documents = isnad.extract(texts)
rows = Predictor()({"text": texts})
assert [len(each) for each in rows["entities"]] == [len(d.entities) for d in documents]
assert not ABSENT & set(sys.modules), ABSENT & set(sys.modules)
print(json.dumps([d.to_dict() for d in documents]))
"""
    found = [Document.from_dict(each) for each in json.loads(light(code, json.dumps(TEXTS)))]
    for ours, theirs in zip(found, reference(TEXTS), strict=True):
        agree(ours, theirs)
    assert found[0].relations and {"بيروت", "حسن نصرالله"} <= {e.text for e in found[0].entities}


def test_the_commands_that_need_no_torch(tmp_path: Path, reference: Extractor) -> None:
    text, lines = tmp_path / "نص.txt", tmp_path / "many.jsonl"
    text.write_text(TEXTS[0], encoding="utf-8")
    lines.write_text("".join(json.dumps({"text": each}) + "\n" for each in TEXTS), encoding="utf-8")
    gold = tmp_path / "gold.jsonl"
    gold.write_text(json.dumps(reference(TEXTS[0]).to_dict() | {"model": ""}) + "\n", encoding="utf-8")
    formats = ["html", "jsonl"]
    found = commands(
        ["--help"],
        ["extract", text, "-f", "json"],
        ["extract", text],
        *(["extract", text, "-o", tmp_path / f"out.{suffix}"] for suffix in formats),
        ["extract", lines, "-o", tmp_path / "streamed"],
        ["convert", gold, tmp_path / "brat", "--to", "brat"],
        ["eval", DEFAULT_MODEL, gold, "-f", "json"],
        ["annotate", text, "--to", "doccano", "-o", tmp_path / "doccano.jsonl"],
        ["info"],
        ["models", "--registry", tmp_path / "registry.sqlite"],
        ["data", "check", gold],
    )
    *found, (checked, report, *_) = found
    assert all(code == 0 for code, *_ in found), [each for each in found if each[0] != 0]
    assert checked == 0 and f"in pieces of {DEFAULT_MODEL}" in report
    (expected,) = reference.pipe([("نص", TEXTS[0])])
    agree(Document.from_dict(json.loads(found[1][1])), expected)
    assert "بيروت" in found[2][1]
    assert all((tmp_path / f"out.{suffix}").stat().st_size > 300 for suffix in formats)
    parts = sorted((tmp_path / "streamed").glob("part-*.jsonl"))
    rows = [row for part in parts for row in part.read_text(encoding="utf-8").splitlines()]
    assert [json.loads(row)["text"] for row in rows] == TEXTS
    assert (tmp_path / "brat").is_dir() and DEFAULT_MODEL in found[-1][1]


def test_what_needs_torch_says_how_to_get_it(tmp_path: Path, tiny_model: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXTS[0], encoding="utf-8")
    needs = {
        "isnad[train]": [["train", "-c", "articles", "-o", tmp_path / "a"]],
        "isnad[torch]": [
            ["export", DEFAULT_MODEL, "--to", "onnx", "-o", tmp_path / "b"],
            ["eval", "--leave-one-out", "-o", tmp_path / "c"],
            ["curve", "-c", "articles", "-o", tmp_path / "d"],
        ],
        "torch": [["extract", text, "-m", tiny_model]],
    }
    found = commands(*(arguments for each in needs.values() for arguments in each))
    for package, (code, stdout, stderr, error) in zip(
        (package for package, each in needs.items() for _ in each), found, strict=True
    ):
        assert code == 2 and stdout == "" and stderr.startswith("error: "), (stdout, stderr, error)
        assert stderr.count("\n") == 1 and "pip install" in stderr and package in stderr, stderr
    assert {p.name for p in tmp_path.iterdir()} == {"text.txt"}


def test_without_any_backend_it_says_which_there_are(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXTS[0], encoding="utf-8")
    ((code, _, stderr, _),) = commands(["extract", text], extras=())
    assert code == 2 and stderr == (
        "error: no backend is installed; write: pip install 'isnad[torch]' for training and GPUs, or pip install "
        "'isnad[onnx]' for a light install\n"
    )


def linked(package: Distribution, target: Path) -> None:
    """Show the files of an installed package in another folder of packages."""
    for file in package.files or ():
        source = Path(str(package.locate_file(file)))
        if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
            continue
        place = target / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(source.resolve())


@pytest.mark.slow
def test_a_clean_environment(tmp_path: Path, articles: list[Document], reference: Extractor) -> None:
    """A virtual environment with the files of the light install and no others, in another working directory."""
    environment, home = tmp_path / "venv", tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    for name in sorted(needed("onnx")):
        linked(distribution(name), packages)
    (packages / "isnad").symlink_to(ROOT)
    text = home / "article.txt"
    text.write_bytes(articles[0].text.encode())

    def run(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
        variables = {"PATH": os.environ["PATH"], "HOME": str(home)}
        command = [str(environment / "bin/python"), *arguments]
        return subprocess.run(command, capture_output=True, cwd=home, env=variables, check=False)

    for module in ("torch", "transformers", "pytest"):
        assert b"ModuleNotFoundError" in run("-c", f"import {module}").stderr
    done = run("-m", "isnad.cli", "extract", "article.txt", "-f", "json")
    assert done.returncode == 0, done.stderr.decode()
    found = Document.from_dict(json.loads(done.stdout))
    agree(found, next(reference.pipe([(found.id, articles[0].text)])))
    assert found.model == DEFAULT_MODEL and len(found.relations) > 10


def test_the_embedded_model_has_graphs_in_the_wheel() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    shipped = {p for pattern in data["isnad.model"] for p in EMBEDDED.parent.glob(pattern) if p.is_file()}
    assert {p for p in (EMBEDDED / DEFAULT_MODEL).rglob("*") if p.is_file()} <= shipped
