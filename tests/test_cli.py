"""The command line as a program: help, pipes, locales, interrupts."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from isnad import __version__
from typer.testing import Result

ROOT = Path(__file__).resolve().parents[1]
ARTICLES = sorted((ROOT / "seeds/articles").glob("*.txt"))
SHORT = "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.\nثم سافر إلى بيروت للقاء حسن نصرالله."

Command = Callable[..., Result]
Refused = Callable[..., None]


def program(
    *arguments: object, stdin: bytes = b"", **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command as a program of its own, as a shell would."""
    command = [sys.executable, "-m", "isnad.cli", *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, capture_output=True, env={**os.environ, **environment}, check=False
    )


class TestHelp:
    def test_version(self, isnad: Command):
        result = isnad("--version")
        assert (result.exit_code, result.stdout) == (0, f"isnad {__version__}\n")

    @pytest.mark.parametrize("command", ["extract", "train", "eval", "info", "convert"])
    def test_every_command_teaches_by_example(self, isnad: Command, command: str):
        result = isnad(command, "--help")
        assert result.exit_code == 0
        assert "Examples:" in result.stdout and f"  isnad {command}" in result.stdout
        assert command in isnad("--help").stdout and "Exit codes:" in isnad("--help").stdout

    def test_help_imports_nothing_heavy(self):
        code = (
            "import sys\nfrom typer.testing import CliRunner\nfrom isnad.cli import app\n"
            "assert CliRunner().invoke(app, ['extract', '--help']).exit_code == 0\n"
            "print([m for m in ('torch', 'transformers', 'numpy', 'yaml') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n"

    def test_help_is_quick(self):
        # Time of the processor, so that a busy machine does not matter; the best of three.
        def seconds() -> float:
            before = os.times()
            program("--help")
            after = os.times()
            return after.children_user + after.children_system - before.children_user - before.children_system

        assert min(seconds() for _ in range(3)) < 1.0

    def test_nothing_and_nonsense(self, isnad: Command):
        assert isnad().exit_code == 2
        result = isnad("extrct")
        assert result.exit_code == 2 and "extract" in result.stderr


class TestProgram:
    """What only a process of its own shows."""

    def test_pipe(self, tiny_model: Path):
        done = program("extract", "-m", tiny_model, "-", "-f", "jsonl", stdin=ARTICLES[1].read_bytes())
        assert done.returncode == 0 and done.stderr == b""
        assert json.loads(done.stdout)["text"] == ARTICLES[1].read_bytes().decode()

    def test_locale_and_home_do_not_matter(self, tiny_model: Path):
        odd = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "HOME": "/nonexistent/home"}
        done = program("extract", "-m", tiny_model, "-", "--threshold", "0.05", stdin=SHORT.encode(), **odd)
        assert done.returncode == 0, done.stderr.decode()
        assert re.search("[\u0621-\u064a]{3}", done.stdout.decode())

    def test_reader_that_stops_reading(self, tiny_model: Path):
        """`isnad extract … | head -1` ends quietly, with the code of a broken pipe."""
        command = [sys.executable, "-m", "isnad.cli", "extract", "-m", str(tiny_model), *map(str, ARTICLES)]
        for format in ("table", "jsonl"):
            with subprocess.Popen(
                [*command, "-f", format], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as run:
                assert run.stdout and run.stderr
                run.stdout.close()
                assert (run.stderr.read(), run.wait()) == (b"", 141)

    def test_closed_standard_input(self):
        command = f"{sys.executable} -m isnad.cli extract - <&-"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: standard input is closed")

    def test_interrupt(self, tmp_path: Path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        # A shell that runs the tests in the background has them, and what they start, ignore the signal.
        code = (
            "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
            f"sys.argv[1:] = ['extract', {str(pipe)!r}]\nfrom isnad.cli import main\nmain()"
        )
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            with pipe.open("wb"):  # opens when the command reads
                run.send_signal(signal.SIGINT)
                run.wait(timeout=60)
            _, error = run.communicate()
        assert run.returncode == 130 and error == b"error: interrupted\n"

    def test_named_pipe_is_read_once(self, tiny_model: Path):
        """`isnad extract <(zcat article.txt.gz)`: what the shell passes can be read only once."""
        command = f"{sys.executable} -m isnad.cli extract -m {tiny_model} -f jsonl <(cat {ARTICLES[1]}) {ARTICLES[2]}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
        texts = [json.loads(line)["text"] for line in done.stdout.splitlines()]
        assert texts == [p.read_bytes().decode() for p in ARTICLES[1:3]]

    def test_missing_package_names_the_extra(self, tmp_path: Path):
        """As in an installation without the extra: the package cannot be found."""
        code = (
            "import sys, importlib.util\n"
            "real = importlib.util.find_spec\n"
            "importlib.util.find_spec = lambda name, *a: None if name == 'accelerate' else real(name, *a)\n"
            f"sys.argv[1:] = ['train', '-c', 'seeds', '-o', {str(tmp_path)!r}]\n"
            "from isnad.cli import main\nmain()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == (
            "error: isnad train needs accelerate, which is not installed; write: pip install 'isnad[train]'\n"
        )
