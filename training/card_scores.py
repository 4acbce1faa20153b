"""The sections of a model card about how good a model is, all from stored results; scores in per cent."""

from collections.abc import Mapping, Sequence
from typing import Any

from .card_data import table
from .card_sources import CardSources

HEADLINE = "width_15"
_COREFERENCE = {
    "b_cubed": "B-cubed",
    "muc": "MUC",
    "ceaf_e": "CEAF-e",
    "lea": "LEA",
    "conll": "CoNLL average",
}
_DECISIONS = {
    "attached": "name after a proclitic: the proclitic has to come off",
    "whole": "name whose first letter could be one: it has to stay",
    "all": "all",
}
_VIEWS = {
    "returned": "what is returned, at the thresholds",
    "candidates": "all candidates from {floor:.0%} on",
}


def percent(value: float, interval: Mapping[str, float] | None = None) -> str:
    """Return a score in [0, 1] as `87.3 [84.1, 90.0]`."""
    spread = f" [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]" if interval else ""
    return f"{100 * value:.1f}{spread}"


def summary(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scores of a stored result."""
    found: Mapping[str, Any] = result["evaluation"]["summary"]
    return found


def entities_section(dev: Mapping[str, Any], unseen: Mapping[str, Any] | None) -> str:
    """Return span F1 of every label, with intervals, on development data and on held-out articles."""
    return _labels(
        "label",
        ["entities"],
        dev,
        unseen,
        (summary(dev)["entities"], (summary(unseen) if unseen else {}).get("entities")),
    )


def relations_section(dev: Mapping[str, Any], unseen: Mapping[str, Any] | None) -> str:
    """Return strict relation F1 of every label, with intervals."""
    tables = (
        summary(dev)["relations"]["strict"],
        summary(unseen)["relations"]["strict"] if unseen else None,
    )
    return _labels("relation", ["relations", "strict"], dev, unseen, tables)


def _labels(
    head: str,
    place: Sequence[str],
    dev: Mapping[str, Any],
    unseen: Mapping[str, Any] | None,
    tables: tuple[Mapping[str, Any], Mapping[str, Any] | None],
) -> str:
    results = [r for r in (dev, unseen) if r]
    rows = [[head, "gold", "precision", "recall", "F1"]]
    if unseen:
        rows[0] += ["gold, articles", "F1, articles"]
    known = [t for t in tables if t]
    labels = list(dict.fromkeys(label for t in known for label, c in t["labels"].items() if c["support"]))

    def cells(n: int, kind: str, label: str = "") -> list[str]:
        scores = known[n]["labels"].get(label) if label else known[n][kind]
        if not scores or not scores.get("support", 1):
            return ["", "", "", ""] if n == 0 else ["", ""]
        spread: Any = results[n]["intervals"]
        for key in place:
            spread = spread[key]
        spread = (spread["labels"].get(label) if label else spread[kind]) or {}
        f1 = percent(scores["f1"], spread.get("f1"))
        gold = f"{scores['support']:,}" if "support" in scores else ""
        return [gold, percent(scores["precision"]), percent(scores["recall"]), f1] if n == 0 else [gold, f1]

    for label in labels:
        rows.append([label, *(c for n in range(len(known)) for c in cells(n, "", label))])
    for kind in ("micro", "macro"):
        rows.append([f"**{kind}**", *(c for n in range(len(known)) for c in cells(n, kind))])
    return table(rows, numbers=range(1, len(rows[0])))


def others_section(dev: Mapping[str, Any], unseen: Mapping[str, Any] | None) -> str:
    """Return coreference and proclitic decisions."""
    results = [r for r in (dev, unseen) if r]
    heads = ["development", "articles"][: len(results)]
    coreference = [["coreference, predicted mentions, F1", *heads]]
    for metric, name in _COREFERENCE.items():
        scores = [
            percent(
                summary(r)["coreference"]["with_singletons"][metric]["f1"],
                (r["intervals"]["coreference"]["with_singletons"][metric] or {}).get("f1"),
            )
            for r in results
        ]
        coreference.append([name, *scores])
    decisions = [["proclitic decision at the first word of a name", *heads]]
    for kind, name in _DECISIONS.items():
        cells = []
        for r in results:
            found = summary(r)["proclitics"][kind]
            cells.append(f"{percent(found['accuracy'], r['intervals']['proclitics'][kind])} of {found['n']}")
        decisions.append([name, *cells])
    right = range(1, len(results) + 1)
    return f"{table(coreference, numbers=right)}\n\n{table(decisions, numbers=right)}"


def sets_section(dev: Mapping[str, Any]) -> str:
    """Return the scores of each set of development documents."""
    sets = dev["details"].get("sets") or {}
    if len(sets) < 2:
        return ""
    rows = [["set", "documents", "span F1", "relation precision", "relation recall", "relation F1"]]
    for name, s in sets.items():
        relations = s["relations"]
        rows.append(
            [
                f"{name} (hard negatives)" if name == "alaqat" else name,
                str(s["documents"]),
                percent(s["spans"]["f1"], s["spans"]["intervals"]["f1"]),
                percent(relations["precision"]),
                percent(relations["recall"]),
                percent(relations["f1"], relations["intervals"]["f1"]),
            ]
        )
    return table(rows, numbers=range(1, 6))


def calibration_section(dev: Mapping[str, Any]) -> str:
    """Return calibration errors: cross-fitted first, since calibration is fitted on the same documents."""
    found = dev["details"]["calibration"]
    rows = [
        [
            "scores of",
            "view",
            "number",
            "ECE, cross-fitted",
            "by chance",
            "ECE, in-sample",
            "equal mass",
            "Brier",
        ]
    ]
    for kind in ("spans", "relations"):
        for view, text in _VIEWS.items():
            honest, flattering = found["cross_fitted"][kind][view], found["in_sample"][kind][view]
            ece = honest["ece"][HEADLINE]
            rows.append(
                [
                    kind,
                    text.format(floor=found["floor"]),
                    f"{honest['n']:,}",
                    percent(ece["value"], ece["interval"]),
                    percent(ece["by_chance"]),
                    percent(flattering["ece"][HEADLINE]["value"]),
                    percent(honest["ece"]["mass_15"]["value"]),
                    f"{honest['brier']:.3f}",
                ]
            )
    crossed = {
        kind: percent(c["f1"], c["intervals"]["f1"]) for kind, c in found["cross_fitted_scores"].items()
    }
    return "\n\n".join(
        [
            table(rows, numbers=range(2, 8)),
            "ECE: expected calibration error in per cent over 15 bins of equal width (Guo et al. 2017), 95% bootstrap "
            "intervals over documents. Cross-fitted: calibration and thresholds come from the other folds of "
            f"{found['folds']}; with them span F1 is {crossed['spans']} and relation F1 {crossed['relations']}. "
            "By chance: what perfectly calibrated scores would show on as many items. Equal mass: cross-fitted, over "
            "15 bins of equal size.",
        ]
    )


def training_scores(metrics: Mapping[str, Any]) -> str:
    """Return the scores that training left, for a model without a stored result."""
    rows = [["score", "value"]]
    rows += [[name.replace("_", " "), percent(value)] for name, value in (metrics.get("dev") or {}).items()]
    return table(rows, numbers=[1])


def headline_metrics(sources: CardSources) -> list[dict[str, Any]]:
    """Return `model-index` results for the front matter, as model hubs read them."""
    results = []
    for found, dataset in (
        (
            sources.dev,
            {"name": "isnad authored corpus, development part", "type": "isnad-authored", "split": "dev"},
        ),
        (sources.leave_one_out, {"name": "isnad articles, leave-one-article-out", "type": "isnad-articles"}),
    ):
        if not found:
            continue
        scores = summary(found)
        spans = _metrics("Span", scores["entities"]["micro"])
        calibration = found["details"].get("calibration")
        if calibration:
            value = calibration["cross_fitted"]["spans"]["candidates"]["ece"][HEADLINE]["value"]
            spans.append(_metric("expected_calibration_error", "Span ECE, cross-fitted", value))
        proclitics = scores["proclitics"]["all"]
        if proclitics["n"]:
            spans.append(_metric("accuracy", "Proclitic decisions", proclitics["accuracy"]))
        b_cubed = scores["coreference"]["with_singletons"]["b_cubed"]
        for task, name, metrics in (
            ("token-classification", "Nested named entity recognition, strict spans", spans),
            (
                "relation-extraction",
                "Relation extraction, end to end",
                _metrics("Relation", scores["relations"]["strict"]["micro"]),
            ),
            (
                "coreference-resolution",
                "Coreference, predicted mentions",
                [_metric("f1", "B-cubed F1", b_cubed["f1"])],
            ),
        ):
            results.append(
                {"task": {"type": task, "name": name}, "dataset": dict(dataset), "metrics": metrics}
            )
    return results


def _metrics(what: str, scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = {"f1": "F1", "precision": "precision", "recall": "recall"}
    return [_metric(key, f"{what} {name}", scores[key]) for key, name in names.items()]


def _metric(kind: str, name: str, value: float) -> dict[str, Any]:
    return {"type": kind, "name": name, "value": round(float(value), 4)}
