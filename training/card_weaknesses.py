"""What a model is bad at, read off its stored results."""

from collections.abc import Mapping
from typing import Any

from .card_scores import percent, summary
from .card_sources import CardSources

# A label with fewer gold items says little about the model: it is named, not ranked.
_ENOUGH = 20
# A bin with fewer items has an accuracy of chance.
_ENOUGH_IN_BIN = 50
_ERRORS = {
    "clitic": "only the proclitic is cut wrongly",
    "type": "right span with another label",
    "boundary": "right label with an overlapping span",
    "nesting": "the inner or outer entity of a right one is missed or invented",
    "both": "overlapping span with another label",
    "missed": "missed without a counterpart",
    "spurious": "invented without a counterpart",
}


def weaknesses(sources: CardSources) -> list[str]:
    """Return sentences, each from a number or from the model's configuration; none is typed for one model."""
    measured = sources.dev or sources.leave_one_out
    found = _measured(measured) if measured else []
    schema, config = sources.facts.schema, sources.facts.config
    reach = "one paragraph" if config.get("cross_sentence") else "one sentence"
    found.append(f"Relations are looked for between two mentions within {reach} only.")
    corefer = ", ".join(t.name for t in schema.entities if t.corefers)
    if corefer:
        found.append(
            f"Coreference covers repeated names of {corefer}; pronouns and descriptions are not resolved."
        )
    found.append(
        "The development texts come from the same project as most of the training texts. Expect less outside written "
        "news, on dialect, speech and poetry, and on names that are rare or foreign."
    )
    return found


def _measured(found: Mapping[str, Any]) -> list[str]:
    scores, spread = summary(found), found["intervals"]
    relations = scores["relations"]["strict"]
    return [
        *_weakest("entity types", scores["entities"], spread["entities"]),
        *_weakest("relations", relations, spread["relations"]["strict"]),
        *_unbalanced(relations["micro"]),
        *_common_errors(scores["errors"]),
        *_proclitics(scores["proclitics"]),
        *_hard_negatives(found["details"].get("sets") or {}),
        *_weakest_set(found["details"].get("sets") or {}),
        *_miscalibrated(found["details"].get("calibration") or {}),
    ]


def _weakest(what: str, table: Mapping[str, Any], spread: Mapping[str, Any]) -> list[str]:
    labels = {label: c for label, c in table["labels"].items() if c["support"]}
    ranked = sorted((c["f1"], label) for label, c in labels.items() if c["support"] >= _ENOUGH)
    rare = [f"{label} ({c['support']})" for label, c in labels.items() if c["support"] < _ENOUGH]
    parts = []
    if ranked:
        worst = ", ".join(
            f"{label} {percent(f1, (spread['labels'].get(label) or {}).get('f1'))}"
            for f1, label in ranked[:3]
        )
        parts.append(f"Weakest {what} by F1: {worst}.")
    if rare:
        parts.append(f"Too rare to tell: {', '.join(rare)}.")
    return [" ".join(parts)] if parts else []


def _unbalanced(micro: Mapping[str, Any]) -> list[str]:
    precision, recall = micro["precision"], micro["recall"]
    if not micro["support"] or abs(precision - recall) < 0.03:
        return []
    more = (
        "misses more relations than it invents"
        if recall < precision
        else "invents more relations than it misses"
    )
    return [f"It {more}: precision {percent(precision)}, recall {percent(recall)}."]


def _common_errors(errors: Mapping[str, int]) -> list[str]:
    whole = sum(errors.values())
    if not whole:
        return []
    worst = sorted(errors.items(), key=lambda item: (-item[1], item[0]))[:2]
    named = "; ".join(f"{_ERRORS.get(kind, kind)} ({n / whole:.0%})" for kind, n in worst)
    return [f"Most common of the {whole:,} entity errors: {named}."]


def _proclitics(found: Mapping[str, Any]) -> list[str]:
    kinds = {
        "attached": "cuts the proclitic before a name wrongly",
        "whole": "takes the first letter of a name, which could be a proclitic, for one",
    }
    wrong = {k: (1 - found[k]["accuracy"], found[k]["n"]) for k in kinds if found[k]["n"]}
    return [
        f"It {kinds[k]} in {percent(share)}% of {n} cases." for k, (share, n) in wrong.items() if share > 0.01
    ]


def _hard_negatives(sets: Mapping[str, Any]) -> list[str]:
    trap = sets.get("alaqat")
    rest = [s["relations"] for name, s in sets.items() if name != "alaqat"]
    if not trap or not rest:
        return []
    hits, wrong = (sum(r[key] for r in rest) for key in ("tp", "fp"))
    own = trap["relations"]
    if not hits + wrong or not own["tp"] + own["fp"]:
        return []
    return [
        f"In texts written to mislead (relations denied, planned or only implied), {own['fp']} of "
        f"{own['tp'] + own['fp']} found relations are wrong: precision {percent(own['precision'])} against "
        f"{percent(hits / (hits + wrong))} elsewhere."
    ]


def _weakest_set(sets: Mapping[str, Any]) -> list[str]:
    if len(sets) < 2:
        return []
    spans = sorted((s["spans"]["f1"], name) for name, s in sets.items())
    relations = sorted((s["relations"]["f1"], name) for name, s in sets.items())
    return [
        f"Weakest kind of text: `{spans[0][1]}` for entities (F1 {percent(spans[0][0])}), `{relations[0][1]}` for "
        f"relations ({percent(relations[0][0])}); the sets are described in `seeds/README.md`."
    ]


def _miscalibrated(calibration: Mapping[str, Any]) -> list[str]:
    if not calibration:
        return []
    bins = [b for b in calibration["cross_fitted"]["spans"]["candidates"]["bins"] if b["n"] >= _ENOUGH_IN_BIN]
    if not bins:
        return []
    worst = max(bins, key=lambda b: abs(b["correct"] - b["score_sum"]) / b["n"])
    share, score = worst["correct"] / worst["n"], worst["score_sum"] / worst["n"]
    return [
        f"Entity scores are furthest off between {worst['low']:.2f} and {worst['high']:.2f}: {percent(share)}% of "
        f"these spans are right, where the scores promise {percent(score)}%."
    ]
