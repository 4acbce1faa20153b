"""The model card: `README.md` and `calibration.svg` of a model folder, written from files only.

`python -m isnad.training.card [NAME …]` writes the cards of embedded models anew, with their manifest; a test
holds every committed card to what this module makes of the committed results.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..model.errors import IsnadError, ModelError, nearest
from ..model.store import EMBEDDED, MANIFEST, embedded_models, write_manifest
from . import card_scores as scores
from .card_chart import Panel, reliability_svg
from .card_data import (
    averaged_seeds,
    citation_section,
    compute_section,
    data_section,
    licences,
)
from .card_reproduce import reproduce_section
from .card_sources import RESULTS, ROOT, CardSources
from .card_weaknesses import weaknesses
from .model_facts import fingerprints

CARD, CHART = "README.md", "calibration.svg"
# Front matter is YAML on one page with other writers' keys: what it may hold is said by
# https://huggingface.co/docs/hub/model-cards.
_TAGS = [
    "named-entity-recognition",
    "nested-ner",
    "relation-extraction",
    "coreference-resolution",
    "arabic",
    "isnad",
]
_SPANS = "Strict spans: exact characters, proclitics outside, nested."
_RELATIONS = "End to end: both spans, both types, direction and label must be right."
_USE = (
    "For analysts, researchers and engineers who read Arabic news in bulk and look at the results with their "
    "scores: finding who and what is mentioned, building knowledge graphs for people to check, annotating ahead of "
    "people. Not for decisions about persons without a human reading the text, and not for surveillance; a relation "
    "says what a text states, not what is true."
)


@dataclass(frozen=True)
class Card:
    """A model card.

    Attributes:
        readme: the text of `README.md`.
        chart: the text of `calibration.svg`, or "" without a stored calibration.
    """

    readme: str
    chart: str


def render(folder: Path, *, results: Path = RESULTS, root: Path = ROOT) -> Card:
    """Return the card of a model folder; arguments as in `CardSources.read`."""
    sources = CardSources.read(folder, results=results, root=root)
    chart = _chart(sources)
    parts = [
        f"---\n{_front_matter(sources)}---",
        f"# {sources.facts.name}",
        _what(sources),
        *_how_good(sources, chart=bool(chart)),
        "## Training data",
        data_section(sources),
        "## Compute",
        compute_section(sources),
        "## Intended use",
        _USE,
        "## Known weaknesses",
        "\n".join(f"- {sentence}" for sentence in weaknesses(sources)),
        "## Size",
        _size(sources),
        "## Making it again",
        reproduce_section(sources),
        "## Citation",
        citation_section(sources),
    ]
    return Card("\n\n".join(part for part in parts if part) + "\n", chart)


def write(folder: Path, *, results: Path = RESULTS, root: Path = ROOT) -> Card:
    """Write the card into a model folder, and its manifest anew if there is one."""
    card = render(folder, results=results, root=root)
    _replace(folder / CARD, card.readme)
    if card.chart:
        _replace(folder / CHART, card.chart)
    else:
        (folder / CHART).unlink(missing_ok=True)
    if (folder / MANIFEST).is_file():
        write_manifest(folder)
    return card


def _front_matter(sources: CardSources) -> str:
    content: dict[str, Any] = {
        "language": ["ar"],
        "license": sources.licence.lower(),
        "library_name": "isnad",
        "pipeline_tag": "token-classification",
        "tags": _TAGS,
    }
    results = scores.headline_metrics(sources)
    if results:
        content["metrics"] = sorted(
            {m["type"] for r in results for m in r["metrics"]} & {"f1", "precision", "recall", "accuracy"}
        )
        content["model-index"] = [{"name": sources.facts.name, "results": results}]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _what(sources: CardSources) -> str:
    facts = sources.facts
    schema = facts.schema
    last = sources.stages[-1]
    seeds: list[Any] = averaged_seeds(last) or [last.settings.get("seed")]
    others = sorted({s.licence for s in licences(sources) if s.licence} - {sources.licence})
    return (
        f"Nested entities ({len(schema.entities)} types), relations ({len(schema.relations)} types), proclitic "
        f"boundaries and coreference in Arabic text, with exact character offsets. {facts.parameters:,} parameters, "
        f"offline, on a CPU. Licence of the weights: {sources.licence}"
        + (f"; of the annotated training data: {'; '.join(others)}" if others else "")
        + f". Schema `{schema.name}` ({schema.hash})"
        + (f"; seed {' and '.join(map(str, seeds))}" if seeds[0] is not None else "")
        + f".\n\n```python\nfrom isnad import Extractor\n\nextractor = Extractor.from_pretrained({facts.name!r})\n"
        'document = extractor("وصل إسماعيل قاآني، قائد فيلق القدس، إلى بغداد.")\n```'
        + f"\n\nEntity types: {', '.join(schema.entity_labels)}."
        + (f"\n\nRelation types: {', '.join(schema.relation_labels)}." if schema.relations else "")
    )


def _how_good(sources: CardSources, *, chart: bool) -> list[str]:
    dev, unseen = sources.dev, sources.leave_one_out
    if not dev:
        return ["## Scores", *_without_result(sources)]
    parts = [
        "## Scores",
        "In per cent, with 95% bootstrap intervals over documents. Development: "
        f"`{dev['data']}` ({scores.summary(dev)['documents']} documents, {dev['data_hash']}), which also chose "
        "calibration, thresholds and often the epoch, so these scores flatter. "
        f"Measured {dev['made']} at revision {dev['revision']} on {dev['machine']}.",
        _unseen_note(sources),
        f"### Entities\n\n{_SPANS}",
        scores.entities_section(dev, unseen),
        f"### Relations\n\n{_RELATIONS}",
        scores.relations_section(dev, unseen),
        "### Coreference and proclitics",
        scores.others_section(dev, unseen),
    ]
    sets = scores.sets_section(dev)
    parts += ["### By kind of text", sets] if sets else []
    if chart:
        parts += ["## Calibration", f"![Reliability of entity and relation scores]({CHART})"]
    return parts + ([scores.calibration_section(dev)] if dev["details"].get("calibration") else [])


def _without_result(sources: CardSources) -> list[str]:
    unseen = sources.leave_one_out
    parts = [
        "As training left them, on the documents that also chose calibration, thresholds and often the epoch. "
        f"No stored result belongs to these very weights; `{sources.dev_command}` makes one.",
        scores.training_scores(sources.metrics),
        _unseen_note(sources),
    ]
    if unseen:
        parts += [f"### Entities, articles\n\n{_SPANS}", scores.entities_section(unseen, None)]
        parts += [f"### Relations, articles\n\n{_RELATIONS}", scores.relations_section(unseen, None)]
    return parts


def _unseen_note(sources: CardSources) -> str:
    unseen = sources.leave_one_out
    if unseen:
        return (
            f"Articles: the {scores.summary(unseen)['documents']} news articles of `seeds/articles`, each predicted by "
            "a model that was trained by this recipe on everything but that article "
            f"(data {unseen['data_hash']}, revision {unseen['revision']}). "
            "This model itself has learned all of them, so its own output on them says nothing."
        )
    if sources.continued_by:
        return (
            f"This model has seen no article of `seeds/articles`; `{sources.continued_by}`, which continues it, is "
            "measured on them leave-one-article-out."
        )
    return ""


def _chart(sources: CardSources) -> str:
    found = (sources.dev or {}).get("details", {}).get("calibration")
    if not found:
        return ""
    panels = []
    for kind, title in (("spans", "Entities"), ("relations", "Relations")):
        view = found["cross_fitted"][kind]["candidates"]
        if view["n"]:
            ece = view["ece"][scores.HEADLINE]
            shown = scores.percent(ece["value"], ece["interval"]).replace(" [", "% [", 1)
            shown += "" if ece["interval"] else "%"
            panels.append(Panel(title, f"ECE {shown}, {view['n']:,} candidates", view["bins"]))
    described = "; ".join(f"{p.title}: {p.subtitle}" for p in panels)
    return (
        reliability_svg(panels, description=f"{sources.facts.name}, cross-fitted. {described}")
        if panels
        else ""
    )


def _size(sources: CardSources) -> str:
    facts = sources.facts
    sizes = [(name, (facts.folder / name).stat().st_size) for name in fingerprints(facts.folder)]
    named = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes)
    more = f", and {facts.table_entries:,} integers in tables" if facts.table_entries else ""
    return (
        f"{sum(size for _, size in sizes) / 1e6:.1f} MB on disk: {named}. {facts.parameters:,} parameters in "
        f"{', '.join(facts.precisions)}{more}, computed in float32."
    )


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> int:
    """Write the cards of the models named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.training.card", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="embedded models (default: all)")
    options = parser.parse_args(arguments)
    known = embedded_models()
    try:
        for name in options.names or known:
            if name not in known:
                raise ModelError(f"no embedded model {name!r}; {nearest(name, known)}")
            write(EMBEDDED / name)
            print(f"wrote {EMBEDDED / name / CARD}")
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
