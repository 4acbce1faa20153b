"""The sections of a model card about where the model comes from: data, compute, whom to cite."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .card_sources import CardSources, Source, training_sources
from .lineage import Stage

# Raw texts by the name of their file: what they are, and the licences that their publishers state.
_RAW = {
    "news": (
        "Arabic news: SANAD (Khaleej), SaudiNewsNet, Hespress and Aljazeera articles, ANT corpus and smaller ones",
        "none stated for most; SaudiNewsNet CC BY-NC-SA 4.0; ANT corpus Apache-2.0",
    ),
    "wikipedia": ("Arabic Wikipedia, as in several public corpora", "CC BY-SA"),
    "books": (
        "books of modern authors and periodicals of 1876-1940, from OpenITI and OpenArabicPE",
        "none stated in OpenITI's repositories; OpenArabicPE CC BY-SA 4.0 or CC BY 4.0",
    ),
    "law_stories": ("Saudi laws and short stories", "official texts; stories Apache-2.0"),
}
_RAW_STATEMENT = (
    "The raw texts are not distributed with the model. Several of the news sources state no licence, some are for "
    "non-commercial use only; whoever needs a model free of such texts has to pretrain one without them."
)


def data_section(sources: CardSources) -> str:
    """Return the annotated and the raw training data with licences and citations."""
    rows = [["stage", "data", "times an epoch", "what", "licence", "origin"]]
    cited: dict[str, str] = {}
    for stage in fine_tunings(sources):
        for source in training_sources(stage, root=sources.root):
            rows.append(
                [
                    stage.name,
                    f"`{source.name}`",
                    f"{source.weight:g}",
                    source.what,
                    source.licence or "not stated",
                    source.origin or "not stated",
                ]
            )
            if source.citation:
                cited[source.name] = source.citation
    parts = ["### Annotated", table(rows), _annotated_notes(sources)]
    if cited:
        parts.append("\n".join(f"- `{name}`: {cell(citation)}" for name, citation in cited.items()))
    parts += ["### Raw text of the encoder's pretraining", *_raw(sources), _RAW_STATEMENT]
    return "\n\n".join(part for part in parts if part)


def _annotated_notes(sources: CardSources) -> str:
    own, metrics = sources.stages[-1], sources.metrics
    dev = ", ".join(f"`{name}`" for name in (own.settings.get("data") or {}).get("dev") or ())
    notes = []
    if metrics.get("train_documents"):
        notes.append(
            f"The last stage has {metrics['train_documents']:,} training documents as listed (a source that is listed "
            "several times counts each time)."
        )
    if dev:
        notes.append(
            f"Calibration and thresholds, and the epoch unless the run kept the last one, were chosen on {dev}"
            f"{_number(' ({:,} documents)', metrics.get('dev_documents'))}."
        )
    lost = [metrics.get(f"unreachable_{what}") for what in ("entities", "relations")]
    if any(lost):
        notes.append(f"Gold that the model cannot represent: {lost[0]} entities, {lost[1]} relations.")
    return " ".join(notes)


def _raw(sources: CardSources) -> list[str]:
    first = next((s for s in sources.stages if s.kind == "pretraining"), None)
    texts = ((first.record.get("data") or {}).get("texts") or {}) if first else {}
    uses: dict[tuple[str, str], list[str]] = {}
    for use, files in texts.items() if isinstance(texts, Mapping) else ():
        for file in files:
            uses.setdefault((str(file.get("file")), str(file.get("sha256") or "")), []).append(
                f"{use} ×{file.get('weight', 1):g}"
            )
    if not uses:
        listed = "; ".join(f"{what} ({licence})" for what, licence in _RAW.values())
        return [
            f"The files of this model do not record its raw texts. The recipes in `configs/pretrain/` use: {listed}."
        ]
    rows = [["file", "used for (share)", "what", "licence as stated", "SHA-256"]]
    for (file, digest), used in uses.items():
        what, licence = _RAW.get(file.partition(".")[0], ("", "not stated"))
        rows.append([f"`{file}`", ", ".join(used), what, licence, f"`{digest[:12]}…`" if digest else ""])
    return [table(rows)]


def compute_section(sources: CardSources) -> str:
    """Return what was computed, on what, for how long, and what it may have taken in energy."""
    rows = [["stage", "objective", "amount", "time", "machine", "energy, estimated"]]
    hours, energies, watts = 0.0, [], 0.0
    for stage in sources.stages:
        record = stage.record
        seconds = float(record.get("seconds") or 0)
        hours += seconds / 3600
        estimate = record.get("energy_estimate") or record.get("energy") or {}
        watts = float(estimate.get("watts") or watts)
        known = estimate.get("kilowatt_hours")
        if known is not None:
            energies.append(float(known))
        rows.append(
            [
                stage.name,
                str(record.get("objective", "")) if stage.kind == "pretraining" else "fine-tuning",
                _amount(stage),
                duration(seconds) if seconds else "not recorded",
                _machine(record.get("machine")),
                f"{known:.3g} kWh" if known is not None else "not estimated",
            ]
        )
    notes = [
        f"Together {duration(3600 * hours)} of recorded training time; runs that led to nothing are not counted."
    ]
    notes += [note for stage in sources.stages if stage.kind == "pretraining" for note in _pretrained(stage)]
    if energies:
        notes.append(
            f"The estimate, {sum(energies):.3g} kWh for the stages that have one, is training time × an assumed power "
            f"of {watts:g} W; nothing was metered, and the making of data and tokenizer is left out."
        )
    else:
        notes.append(
            "No power was assumed or metered for these runs, so there is no figure of energy to give."
        )
    return "\n\n".join([table(rows), " ".join(notes)])


def _pretrained(stage: Stage) -> list[str]:
    """Return what else is to be said of a pretraining: the runs before it, and what the tokenizer makes of words."""
    notes = []
    earlier = stage.record.get("earlier") or []
    if earlier:
        tokens, steps = (sum(int(run.get(key) or 0) for run in earlier) for key in ("tokens", "steps"))
        notes.append(
            f"The pretraining began with the weights of earlier runs of the same recipe ({len(earlier)} runs, "
            f"{steps:,} steps, {tokens:,} tokens), each with a schedule of its own; time that they did not record is "
            "not in the table."
        )
    fertility = (stage.record.get("data") or {}).get("fertility") or {}
    if fertility:
        notes.append(
            f"The tokenizer cuts the words of news that it was not trained on into "
            f"{fertility['pieces_per_word']:.2f} pieces each; {100 * fertility['unknown_rate']:.2g}% are unknown "
            f"({fertility['words']:,} words)."
        )
    return notes


def citation_section(sources: CardSources) -> str:
    """Return a BibTeX entry made from `CITATION.cff`."""
    cff = sources.citation
    if not cff:
        return "See `CITATION.cff` of the repository."
    people = [
        a.get("name") or " ".join(filter(None, (a.get("given-names"), a.get("family-names"))))
        for a in cff.get("authors") or ()
    ]
    year = str(cff.get("date-released") or (sources.dev or {}).get("made") or "")[:4]
    fields = {
        "title": f"{{{cff.get('title', 'isnad')}}}",
        "author": " and ".join(f"{{{p}}}" for p in people),
        "version": cff.get("version"),
        "year": year,
        "url": cff.get("repository-code") or cff.get("url"),
        "note": f"Model {sources.facts.name}",
    }
    body = ",\n".join(f"  {key} = {{{value}}}" for key, value in fields.items() if value)
    return f"```bibtex\n@software{{isnad,\n{body}\n}}\n```"


def licences(sources: CardSources) -> list[Source]:
    """Return every annotated source of every stage once, for summaries."""
    found: dict[str, Source] = {}
    for stage in fine_tunings(sources):
        for source in training_sources(stage, root=sources.root):
            found.setdefault(source.name, source)
    return list(found.values())


def table(rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = ()) -> str:
    """Return a Markdown table, first row its head; columns in `numbers` stand to the right."""
    right = set(numbers)
    rule = ["---:" if n in right else "---" for n in range(len(rows[0]))]
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def cell(text: str) -> str:
    """Escape what would end a table cell or begin HTML."""
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").split())


def duration(seconds: float) -> str:
    """Return a time for people: 82 s, 26 min, 2.3 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def fine_tunings(sources: CardSources) -> list[Stage]:
    """Return the stages that learned from annotated data."""
    return [s for s in sources.stages if s.kind == "finetuning"]


def _amount(stage: Stage) -> str:
    record = stage.record
    if stage.kind == "pretraining":
        return ", ".join(
            f"{record[key]:,} {key}"
            for key in ("steps", "tokens")
            if isinstance(record.get(key), int | float)
        )
    epochs = record.get("epochs")
    passes = _number("{:g} epochs", epochs) + _number(" of {:,} documents", record.get("train_documents"))
    seeds = averaged_seeds(stage)
    return passes + (f", {len(seeds)} runs whose weights were averaged" if seeds else "")


def averaged_seeds(stage: Stage) -> list[int]:
    """Return the seeds of the runs whose mean a stage is; none if it is a single run."""
    return [int(one["seed"]) for one in stage.record.get("averaged") or []]


def _machine(found: Any) -> str:
    if isinstance(found, Mapping):
        parts = [found.get("gpu"), found.get("cpu"), _number("{} cores", found.get("cores"))]
        return ", ".join(str(p) for p in parts if p) or "not recorded"
    return re.sub(r"\s+", " ", str(found)) if found else "not recorded"


def _number(form: str, value: Any) -> str:
    return form.format(value) if isinstance(value, int | float) else ""
