"""`isnad eval`: a model on annotated documents, or the five articles leave-one-out."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ..model.errors import ConfigError
from ..model.store import EMBEDDED
from ..training.config import plain
from ..training.data.sources import load_corpora, load_schema, load_source, load_sources, load_split
from .extract import load_extractor
from .options import ReportFormat, SpanConvention
from .support import console, progress, quiet, refuse_existing, remarks_only, require, say, whole_file
from .train import configured

if TYPE_CHECKING:
    from ..eval.evaluation import Evaluation
    from ..model.document import Document

ARTICLES = "seeds:articles"


_SUFFIXES = {".json": ReportFormat.JSON, ".md": ReportFormat.MARKDOWN}


def evaluate_model(
    model: str,
    data: str,
    *,
    format: ReportFormat | None = None,
    output: Path | None = None,
    convention: SpanConvention = SpanConvention.CHAR,
    flat: bool = False,
    overwrite: bool = False,
) -> None:
    """Run a model on annotated documents and report how its annotation agrees with theirs."""
    chosen = _format(format, output)
    refuse_existing([output] if output else [], overwrite=overwrite)
    extractor = load_extractor(model)
    gold = load_sources([data], extractor.schema)
    from ..eval.evaluate import evaluate

    stream = extractor.pipe((d.id, d.text) for d in gold)
    predicted = list(progress(stream, total=len(gold), what="extracting"))
    evaluation = evaluate(
        gold,
        predicted,
        extractor.schema,
        convention=convention.value,
        flat=flat,
        given=_given(model, gold),
    )
    _report(evaluation, f"{extractor.name} on {data}", chosen, output)


def _given(model: str, gold: Sequence["Document"]) -> list["Document"] | None:
    """Return what a model finds when it is shown the gold entities; None without relations, or if it cannot be."""
    from ..eval.given_entities import GivenEntityExtractor, describe, takes_entities
    from ..training.examples import Unreachable

    if not any(d.relations for d in gold) or not takes_entities(model):
        return None
    lost = Unreachable()
    stream = GivenEntityExtractor.from_pretrained(model).pipe(gold, unreachable=lost)
    found = list(progress(stream, total=len(gold), what="relating gold entities"))
    if lost.entities or lost.relations:
        counts = f"entities {len(lost.entities)}, relations {len(lost.relations)}"
        say(f"gold that the model cannot be given or reach, and that counts as missed: {counts}")
        for line in describe(lost):
            say(f"  {line}")
    return found


def evaluate_leave_one_out(
    config_name: str,
    output: Path,
    settings: Sequence[str] = (),
    *,
    system: str = "joint",
    format: ReportFormat | None = None,
) -> None:
    """Train once for each article on everything else, predict it, and report on all of them together."""
    config = configured(config_name, settings)
    need = {
        "joint": ["accelerate", *({config.tracker} - {"none"})],
        "flat": ["accelerate"],
        "crf": ["pycrfsuite"],
    }
    require(*need.get(system, []), task=f"isnad eval --leave-one-out --system {system}")
    schema = load_schema(config.data.schema)
    articles = load_source(ARTICLES, schema)
    train, dev = load_split(config.data.train, config.data.dev, schema)
    corpora = load_corpora(config.data.corpora, schema, [*dev, *articles])
    if system == "joint":
        _refuse_seen(config.encoder.path, articles)
    resolved = {"system": system, "config": plain(asdict(config))}
    # The tracker reads its folder once a process: all folds log beside the predictions.
    os.environ.setdefault("TRACKIO_DIR", str((output / "trackio").resolve()))
    quiet()
    from ..eval.loo import leave_one_out
    from ..eval.scores import development_scores
    from ..eval.stored import save_result
    from ..training.systems import make_system

    score = development_scores(schema)
    # An unknown system is found before anything is written.
    make_system(system, config, schema, output, score=score, corpora=corpora)
    _claim(output, yaml.safe_dump(resolved, allow_unicode=True, sort_keys=False))
    with remarks_only():
        outcome = leave_one_out(
            articles,
            train,
            dev,
            schema,
            lambda id_: make_system(
                system, config, schema, output / "folds" / id_, score=score, corpora=corpora
            ),
            folder=output / "predictions",
            progress=say,
        )
    typed = ["isnad", "eval", "--leave-one-out", *(["--system", system] if system != "joint" else [])]
    typed += ["--config", config_name, "-o", str(output)]
    save_result(
        output / "result.json",
        outcome.evaluation,
        system=config.name,
        data=f"{ARTICLES}, leave-one-out",
        documents=articles,
        command=shlex.join([*typed, *(part for s in settings for part in ("--set", s))]),
        seed=config.seed,
        details=resolved,
    )
    _report(outcome.evaluation, f"{config.name}, leave-one-article-out", format or ReportFormat.TABLE, None)
    say(f"wrote {output / 'result.json'} and {len(articles)} predictions in {output / 'predictions'}")


def _refuse_seen(encoder: str, articles: Sequence["Document"]) -> None:
    """Refuse a model to start from that was trained on a text that is to be held out."""
    folder = Path(encoder) if Path(encoder).is_dir() else EMBEDDED / encoder
    try:
        run = yaml.safe_load((folder / "training.yaml").read_text(encoding="utf-8"))
        sources = list(run["data"]["train"])
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        # A bare encoder, or one from elsewhere: it has seen no annotation that could be known here.
        return
    if ARTICLES in sources:
        raise ConfigError(
            f"encoder.path is {encoder!r}, which was trained on {ARTICLES}: its {len(articles)} texts would not be "
            "held out; accepted: a model that has not seen them, such as isnad-small-authored, or a bare encoder"
        )


def _claim(folder: Path, resolved: str) -> None:
    """Mark a folder as belonging to a configuration; ConfigError if it has folds of another one."""
    mark = folder / "config.yaml"
    if mark.is_file():
        if mark.read_text(encoding="utf-8") != resolved:
            raise ConfigError(
                f"{folder} holds folds of another configuration ({mark.name} differs); choose another -o"
            )
        return
    with whole_file(mark) as temporary:
        temporary.write_text(resolved, encoding="utf-8")


def _format(format: ReportFormat | None, output: Path | None) -> ReportFormat:
    return format or (_SUFFIXES.get(output.suffix.lower()) if output else None) or ReportFormat.TABLE


def _report(evaluation: "Evaluation", title: str, format: ReportFormat, output: Path | None) -> None:
    from ..eval import report

    if format is ReportFormat.TABLE and output is None:
        console().print(report.to_rich(evaluation, title))
        return
    make = {
        ReportFormat.TABLE: report.to_text,
        ReportFormat.JSON: report.to_json,
        ReportFormat.MARKDOWN: report.to_markdown,
    }
    text = make[format](evaluation, title)
    if output is None:
        print(text, end="")
        return
    with whole_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"wrote {output}")
