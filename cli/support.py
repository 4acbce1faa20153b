"""What the commands share: exit codes, errors as one sentence, quiet libraries, outputs whole or absent."""

import io
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from ..model.errors import ConfigError, IsnadError

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

FORGOTTEN, FAULTY_INPUT, PARTLY, INTERRUPTED, BROKEN_PIPE = 1, 2, 3, 130, 141
EXIT_CODES = (
    "[bold]Exit codes:[/bold] 0 done; 1 a fault in isnad itself, a regression that compare was asked to fail on, "
    "old labels that train --base has lost, or errors that data check has found; 2 a fault in what was typed, in a "
    "file or in a configuration; 3 extract is done and lists bad documents; 130 interrupted; 141 the reader of the "
    "output has gone."
)
# Optional packages, by the extra of isnad that installs them; "" for those that no extra brings.
_EXTRAS = {
    **{"torch": "torch", "transformers": "torch"},
    **{"accelerate": "train", "datasets": "train", "trackio": "train", "seqeval": "train"},
    **{"nervaluate": "eval", "networkx": "graph", "pycrfsuite": "crf"},
    **{"cassis": "formats", "spacy": "formats", "peft": "lora"},
    **{"gensim": "pretrain", "zstandard": "pretrain", "mlflow": "", "tensorboard": ""},
    **{"onnx": "export", "onnxruntime": "onnx", "openvino": "openvino"},
}
# The width of tables that go to a file or a pipe, where there is no terminal to ask.
_FILE_WIDTH = 110


class _Remarks(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


def _worth_saying(record: logging.LogRecord) -> bool:
    """Drop what is as intended: encoders leave the heads of their pretraining behind, and padding has one id."""
    message = record.getMessage()
    return "LOAD REPORT" not in message and "new PAD/BOS/EOS tokens" not in message


class Commands(TyperGroup):
    """The command group: what users can cause ends in one sentence on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; only a fault in isnad itself shows a traceback."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except IsnadError as error:
            fail(str(error))
        except BrokenPipeError:
            # The interpreter flushes once more when it ends; it must not meet the closed pipe again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _EXTRAS:
                raise
            fail(_absent(package, "this"))
        except OSError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            fail(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else lines[0])
        except KeyboardInterrupt:
            fail("interrupted", code=INTERRUPTED)


def fail(message: str, *, code: int = FAULTY_INPUT) -> NoReturn:
    """Print an error to standard error and end the command."""
    from rich.text import Text

    from ..model.render.characters import printable

    text = Text.assemble(("error: ", "bold red"), (printable(message), "red"))
    console(stderr=True).print(text, soft_wrap=True)
    raise typer.Exit(code)


def say(message: str) -> None:
    """Print a remark to standard error, so that standard output holds results only."""
    from ..model.render.characters import printable

    console(stderr=True).print(printable(message), soft_wrap=True, markup=False, highlight=False)


def first_process() -> bool:
    """Whether this process speaks for a training: of those that `accelerate launch` starts, the first one."""
    return os.environ.get("RANK", "0") == "0"


def console(*, stderr: bool = False) -> "Console":
    """Return a console for this moment's standard output or error."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to the command group; rich itself would exit with 1."""
            raise  # noqa: PLE0704  (called while the error is handled)

    made = Screen(stderr=stderr, quiet=not first_process())
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _FILE_WIDTH
    return made


def use_utf8() -> None:
    """Write UTF-8 whatever the locale says: Arabic must come out of every terminal, pipe and container."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def quiet() -> None:
    """Silence the loading bars and reports of transformers; warnings of isnad itself get a plain form."""
    if sys.stderr is None or not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # bars belong on a screen, not into a log file
    ours = logging.getLogger(__package__)
    if not any(isinstance(handler, _Remarks) for handler in ours.handlers):
        ours.addHandler(_Remarks(logging.WARNING))
    try:
        from transformers.utils import logging as transformers_logging
    except ImportError:  # an exported model runs without
        return
    transformers_logging.disable_progress_bar()
    # Not by level: at another level than its own, transformers checks tensor-parallel plans, at length.
    for handler in logging.getLogger("transformers").handlers:
        handler.addFilter(_worth_saying)


@contextmanager
def remarks_only() -> Iterator[None]:
    """Send what libraries print meanwhile to standard error: standard output is for results."""
    with redirect_stdout(sys.stderr):
        yield


def require(*packages: str, task: str) -> None:
    """Raise ConfigError, with what to install, if an optional package is absent."""
    for package in packages:
        if find_spec(package) is None:
            raise ConfigError(_absent(package, task))


def progress(items: Iterable[T], *, total: int, what: str, shown: bool = True) -> Iterator[T]:
    """Yield the items, with a bar on standard error if that is a terminal and there are several."""
    screen = console(stderr=True)
    if not shown or total < 2 or not screen.is_terminal:
        yield from items
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        yield from bar.track(items, total=total, description=what)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that gets its name at the end, or vanishes if anything fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    made = _make_folder(path.parent)
    try:
        with _writable(path):
            temporary.touch()
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        _remove_empty(made)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files move into `folder` at the end, or vanish if anything fails."""
    made = _make_folder(folder)
    with _writable(folder):
        temporary = Path(tempfile.mkdtemp(prefix=".isnad-", suffix=".tmp", dir=folder))
    try:
        yield temporary
        for file in sorted(p for p in temporary.rglob("*") if p.is_file()):
            target = folder / file.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(made)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"cannot write to {path}: {error.strerror}; choose another place with -o"
        ) from error


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and return what had to be made for it, innermost first."""
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    with _writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return made


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it holds something by now
            folder.rmdir()


def refuse_existing(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Raise ConfigError if an output is there already and may not be replaced."""
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ConfigError(f"{there[0]}{more} already there; choose another output, or pass --overwrite")


def _absent(package: str, task: str) -> str:
    what = f"isnad[{_EXTRAS[package]}]" if _EXTRAS.get(package) else package
    return f"{task} needs {package}, which is not installed; write: pip install '{what}'"
