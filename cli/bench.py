"""`isnad bench`: what is typed into settings, the result into tables."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..model.errors import ConfigError
from ..model.render.table import Cell
from ..model.store import DEFAULT_MODEL
from .support import console, quiet, remarks_only, say

if TYPE_CHECKING:
    from ..eval.bench.settings import BenchSettings
    from ..eval.benchmark import report_tables


def bench_models(
    models: Sequence[str],
    *,
    data: Sequence[str],
    against: str,
    backends: str,
    encoder_configs: Sequence[str],
    rounds: int,
    starts: int,
    words: int,
    lengths: str,
    labels: str,
    limit: float,
    device: str,
    seed: int,
    download: bool,
    output: Path,
) -> None:
    """Measure, write `bench.json` and `bench.html`, and print the tables; arguments as `isnad bench` has them."""
    quiet()
    from ..eval.bench.report import to_html
    from ..eval.bench.run import run_bench
    from ..eval.bench.settings import FILE, REPORT, BenchSettings
    from ..eval.bench.tables import shown
    from ..eval.benchmark.speed import SpeedSettings
    from ..training.data.files import write_text

    settings = BenchSettings(
        models=tuple(models) or (DEFAULT_MODEL,),
        data=tuple(data) or ("seeds:articles",),
        against=_names(against),
        backends=_names(backends),
        encoder_configs=tuple(encoder_configs),
        lengths=_numbers("--lengths", lengths),
        labels=_numbers("--labels", labels),
        device=device,
        speed=SpeedSettings(rounds=rounds, starts=starts, words=words),
        limit=limit,
        seed=seed,
        download=download,
    )
    with remarks_only():
        content = run_bench(settings, output, command=_command(settings, output), progress=say)
    write_text(output / REPORT, to_html(content))
    for table in shown(content):
        console().print(_table(table))
        console().print()
    say(f"wrote {output / FILE} and {output / REPORT}")


def _command(settings: "BenchSettings", output: Path) -> str:
    """Return what to type for these settings."""
    lists = {
        "--against": settings.against,
        "--backends": settings.backends,
        "--lengths": settings.lengths,
        "--labels": settings.labels,
    }
    typed = ["isnad", "bench", *settings.models]
    typed += [part for name in settings.data for part in ("--data", name)]
    typed += [part for size in settings.encoder_configs for part in ("--encoder-config", size)]
    typed += [part for option, values in lists.items() for part in (option, ",".join(map(str, values)))]
    for key in ("rounds", "starts", "words"):
        typed += [f"--{key}", str(getattr(settings.speed, key))]
    typed += ["--limit", f"{settings.limit:g}", "--device", settings.device, "--seed", str(settings.seed)]
    typed += ["--download"] if settings.download else []
    return shlex.join([*typed, "-o", str(output)])


def _names(typed: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in typed.split(",") if part.strip()))


def _numbers(option: str, typed: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _names(typed))
    except ValueError:
        raise ConfigError(
            f"{option} {typed!r}; accepted: whole numbers with commas between them, such as 1000,10000"
        ) from None


def _table(found: "report_tables.Table") -> Table:
    table = Table(title=Text(found.title), title_justify="left", title_style="bold", header_style="bold")
    for n, head in enumerate(found.columns):
        number = any(not isinstance(row[n], str) for row in found.rows)
        table.add_column(Text(head), justify="right" if number else "left", overflow="fold")
    for row in found.rows:
        table.add_row(*(Cell(_shown(cell)) for cell in row))
    return table


def _shown(cell: "report_tables.Cell") -> str:
    from ..eval.benchmark.report_cells import plain_number
    from ..eval.benchmark.report_tables import Quantity

    match cell:
        case None:
            return "–"
        case Quantity():
            return f"{_short(cell.value)} [{_short(cell.low)}, {_short(cell.high)}]"
        case float():
            return plain_number(cell)
        case int():
            return f"{cell:,}"
    return str(cell)


def _short(value: float) -> str:
    """Return a number with three significant digits, whole from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
