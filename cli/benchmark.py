"""`isnad benchmark`: several models on several data sets, and their speed side by side."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ..model.render.table import Cell
from .support import console, progress, quiet, remarks_only, say

if TYPE_CHECKING:
    from ..eval.benchmark.measure import Result
    from ..eval.benchmark.run import Plan, Settings
    from ..eval.benchmark.speed import SpeedSettings

DEFAULT_OUTPUT = Path("runs/benchmark")
_TIMES = {"cold_start": "fresh process to first answer", "first_call": "first call alone"}


def chosen_settings(config: str, **typed: Any) -> "Settings":
    """Return the settings of a configuration, or the defaults, and over them what was typed.

    Args:
        config: as `load_benchmark_config` takes it; empty for none.
        typed: fields of `Settings`; what is None, empty or False was not typed, but for `flat`.
    """
    quiet()
    from ..eval.benchmark.config import load_benchmark_config
    from ..eval.benchmark.run import Settings

    settings = load_benchmark_config(config).settings() if config else Settings(models=(), data=())
    given = {k: v for k, v in typed.items() if v or (k == "flat" and v is not None)}
    if "models" in given and "baseline" not in given:
        given["baseline"] = ""  # that of the configuration may be none of the models
    return replace(settings, **given)


def benchmark_models(
    settings: "Settings",
    output: Path = DEFAULT_OUTPUT,
    *,
    registry: Path | None = None,
    scores: bool = True,
    speed: "SpeedSettings | None" = None,
    curves: Sequence[Path] = (),
    store: Path | None = None,
    config: str = "",
) -> None:
    """Measure models, write the folder of the benchmark with its report, and print the leaderboard.

    Args:
        settings: what is measured.
        output: the folder.
        registry: the file that results are entered into; None for the user's own.
        scores: whether to measure scores.
        speed: how to measure speed; None to leave it out.
        curves: files of learning curves to show in the report.
        store: folder of small result files to commit; see `store_results`.
        config: the configuration that the settings are from, for the stored command.
    """
    quiet()
    from ..eval.benchmark.registry import Registry
    from ..eval.benchmark.run import claim, prepare, run_benchmark
    from ..eval.curves import FILE, joined, read_curves, write_curves

    drawn = joined([curve for path in curves for curve in read_curves(path)])
    with remarks_only():
        plan = prepare(settings)
    for name in plan.left_out:
        say(f"left out: {name}, whose files are not here")
    claim(output)
    known = Registry(registry)
    if scores:
        known.create()
        with remarks_only():
            results = run_benchmark(plan, output, registry=known, progress=progress, cached=say)
        _leaderboard(results, plan.settings.baseline)
    if drawn:
        write_curves(output / FILE, drawn)
    if speed is not None:
        _time(plan, output, speed)
    if scores or (output / "results").is_dir():
        from ..eval.benchmark.report import write_report

        written = write_report(output)
        say(
            f"wrote {', '.join(p.name for p in written)} and all numbers in {output}; results are in {known.path}"
        )
        if store is not None:
            _store(settings, output, store, config)
    else:
        say(f"wrote {output / 'speed.json'}")


def _store(settings: "Settings", output: Path, target: Path, config: str) -> None:
    from ..eval.benchmark.store import store_results

    typed = ["isnad", "benchmark", *(("--config", config) if config else settings.models)]
    typed += [] if config else [part for d in settings.data for part in ("--data", d)]
    typed += ["--slices"] if settings.slices and not config else []
    files = store_results(output, target, command=shlex.join([*typed, "--store", str(target)]))
    say(f"wrote {len(files)} results to commit to {target}")


def _time(plan: "Plan", output: Path, speed: "SpeedSettings") -> None:
    from ..eval.benchmark.run import write_json
    from ..eval.benchmark.speed import measure_speed

    found = measure_speed(
        plan.candidates,
        [d.text for data in plan.data for d in data.documents],
        baseline=plan.settings.baseline,
        settings=speed,
        schema=plan.settings.schema,
        download=plan.settings.download,
        seed=plan.settings.seed,
        progress=say,
    )
    write_json(output / "speed.json", found)
    console().print(_speed_table(found))


def _leaderboard(results: Sequence["Result"], baseline: str) -> None:
    from ..eval.benchmark.compare import BETTER, WORSE
    from ..eval.significance import compare

    by_data: dict[str, list[Result]] = {}
    for result in results:
        by_data.setdefault(result.data.name, []).append(result)
    several = len({r.candidate.name for r in results}) > 1
    heads = ["span F1", "macro F1", "relation F1", "CoNLL", "seconds"]
    if shown := any("relations_gold_entities" in r.scores for r in results):
        heads.insert(3, "relation F1, gold entities")
    for name, found in by_data.items():
        data = found[0].data
        spans = "characters" if data.convention == "char" else "whole words"
        title = f"{name}: {len(data.documents)} documents, {spans}, {'outermost' if data.flat else 'nested'}"
        table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
        table.add_column("model", overflow="fold")
        for head in heads:
            table.add_column(head, justify="right", overflow="fold", no_wrap=head == "span F1")
        if several:
            table.add_column("span F1 against it", overflow="fold")
        base = next(r for r in found if r.candidate.name == baseline)
        for r in found:
            against = "baseline"
            if r is not base:
                tested = compare(base.evaluation, r.evaluation).spans
                verdict = ""
                if tested.significant() and tested.difference:
                    verdict = f": {BETTER if tested.difference > 0 else WORSE}"
                p = f"p {tested.p_value:.3f}" if tested.p_value >= 0.001 else "p < 0.001"
                against = f"{100 * tested.difference:+.1f}, {p}{verdict}"
            table.add_row(*_standing(r, shown), *([against] if several else []))
        console().print(table)


def _standing(r: "Result", shown: bool) -> list[Any]:
    """Return the cells of a model; `shown`: whether any model was shown the gold entities."""
    content = r.content
    f1 = content["intervals"]["entities"]["micro"]["f1"]
    spread = f" [{100 * f1['low']:.1f}, {100 * f1['high']:.1f}]" if f1 else ""
    scores = r.scores
    relations, coreference = scores.get("relations"), scores.get("coreference")
    given = scores.get("relations_gold_entities")
    return [
        Cell(r.candidate.name),
        f"{100 * scores['entities']['f1']:.1f}{spread}",
        f"{100 * scores['entities']['macro_f1']:.1f}",
        f"{100 * relations['f1']:.1f}" if relations else "",
        *([f"{100 * given['f1']:.1f}" if given else "-" if relations else ""] if shown else []),
        f"{100 * coreference['conll']:.1f}" if coreference else "",
        f"{r.seconds:.1f}",
    ]


def _speed_table(found: Mapping[str, Any]) -> Table:
    models: Mapping[str, Mapping[str, Any]] = found["models"]
    title = f"speed: {found['words']} words, {found['rounds']} interleaved rounds; times: median / 95th percentile"
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    table.add_column("", overflow="fold")
    for name in models:
        table.add_column(Cell(name), justify="right", overflow="fold")

    def row(head: str, cell: Callable[[Mapping[str, Any]], str]) -> None:
        table.add_row(head, *(cell(m) for m in models.values()))

    row("words a second", lambda m: f"{m['words_per_second']:,.0f}")
    row(f"times as fast as {found['baseline']}", lambda m: _ratio(m["ratio"]))
    for key in (
        k for k, value in next(iter(models.values())).items() if isinstance(value, Mapping) and "p50" in value
    ):
        row(_TIMES.get(key) or key.replace("_", " of ") + " words", lambda m, k=key: _times(m[k]))  # type: ignore[misc]
    row("peak memory", lambda m: f"{m['peak_memory'] / 1e6:,.0f} MB")
    row("on disk", lambda m: f"{m['size'] / 1e6:,.1f} MB" if m["size"] else "unknown")
    return table


def _times(found: Mapping[str, float]) -> str:
    return f"{_seconds(found['p50'])} / {_seconds(found['p95'])}"


def _ratio(ratio: Mapping[str, Any] | None) -> str:
    if ratio is None:
        return "baseline"
    spread = f" [{ratio['low']:.2f}, {ratio['high']:.2f}]" if ratio["low"] is not None else ""
    return f"{ratio['value']:.2f}{spread}"


def _seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"
