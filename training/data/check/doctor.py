"""The data doctor: every check of annotated data, in one call."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ....model.document import Document
from ....model.schema import LabelSchema
from .clitics import clitic_convention, clitic_findings
from .consistency import label_conflicts, mixed_clusters
from .counts import few_examples, label_rows, totals
from .documents import character_findings, document_findings
from .duplicates import duplicate_findings
from .evidence import Evidence, trusted_documents
from .findings import Finding, Report, in_order
from .part import DEV, TRAIN, View
from .reading import Reading, read_source, signature_findings
from .spans import span_findings
from .splits import drift_findings, label_drift
from .suspects import SUSPECTED, suspects
from .unannotated import unannotated_names
from .window import Measure, window_findings

Progress = Callable[[Iterator[View], int], Iterator[View]]


def check_data(
    data: str,
    schema: LabelSchema,
    *,
    dev: str | None = None,
    model: str | Path | None = None,
    predict: bool = True,
    window: int | None = None,
    format: str | None = None,
    reference: Sequence[Document] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check annotated data for what spoils training and measuring.

    Args:
        data: training data: what `training.data.sources.load_source` takes.
        schema: the labels and signatures that the data should keep to.
        dev: development data; None if there is none.
        model: the model whose window and opinion count, as in `Extractor.from_pretrained`.
        predict: whether to run the model; without it only its tokenizer is used.
        window: word pieces of a window; None for the model's own.
        format: format of paths; None to detect it.
        reference: documents whose annotation is trusted, as evidence on proclitics; None for those in `seeds/`.
        progress: wraps the documents while the model runs: takes them and their number.

    Raises:
        DataError: a source does not exist or its format is not recognised. Faults inside of files are findings.
        ModelError: there is no such model.
    """
    sources = {TRAIN: data} | ({DEV: dev} if dev else {})
    parts = {split: read_source(name, schema, split, format=format) for split, name in sources.items()}
    findings = [fault for part in parts.values() for fault in part.faults]
    views = [view for part in parts.values() for view in part.views]
    rows = label_rows({split: part.views for split, part in parts.items()}, schema)
    drifts = label_drift(parts[TRAIN].views, parts[DEV].views) if dev else []
    remarks: list[str] = []
    if views:
        evidence = Evidence(views, trusted_documents() if reference is None else reference)
        findings += [*_by_rules(parts, schema, evidence), *few_examples(rows), *drift_findings(drifts)]
        findings += _for_model(parts, schema, Measure.of(model, window=window), findings, remarks)
        if predict:
            findings += _by_model(parts, model, progress, remarks)
        else:
            remarks.append("no model was run: missing annotations were looked for by repeated names only")
    return Report(
        sources=sources,
        schema=schema.name,
        totals={split: totals(part.views) for split, part in parts.items()},
        labels=rows,
        drift=drifts,
        findings=in_order(findings),
        remarks=[*_overlap(parts), *remarks],
    )


def _by_rules(parts: dict[str, Reading], schema: LabelSchema, evidence: Evidence) -> Iterator[Finding]:
    views = [view for part in parts.values() for view in part.views]
    for split, part in parts.items():
        clitics = [finding for view in part.views for finding in clitic_findings(view, evidence)]
        yield from clitic_convention(clitics, sum(len(v.keys) for v in part.views), split)
        yield from clitics
        yield from document_findings(part.views, split)
        yield from character_findings(part.views, split)
    for view in views:
        yield from signature_findings(view, schema)
        yield from span_findings(view)
        yield from mixed_clusters(view)
    yield from duplicate_findings(views)
    yield from label_conflicts(views)
    yield from unannotated_names(views, evidence)


def _for_model(
    parts: dict[str, Reading],
    schema: LabelSchema,
    measure: Measure,
    findings: Sequence[Finding],
    remarks: list[str],
) -> list[Finding]:
    """Return what does not fit a model's window."""
    cut = {"misaligned", "edge", "marks"}
    known = {(f.document, f.start, f.end) for f in findings if f.kind in cut}
    remarks.append(f"lengths: in pieces of {measure.model}, {measure.pieces} a window")
    return [
        finding
        for part in parts.values()
        for finding in window_findings(part.views, schema, measure, known=known)
    ]


def _by_model(
    parts: dict[str, Reading], model: str | Path | None, progress: Progress | None, remarks: list[str]
) -> list[Finding]:
    """Return what a model suspects."""
    from ....model.inference import Extractor

    extractor = Extractor.from_pretrained(model)
    views = [view for part in parts.values() for view in part.views]
    annotated = {e.label for view in views for e in view.document.entities}
    known = annotated & set(extractor.schema.entity_labels)
    if not known:
        labels = ", ".join(sorted(annotated)) or "none"
        remarks.append(f"{extractor.name} was not run: it knows no label of the data ({labels})")
        return []
    calibrated = "calibrated" if extractor.config.calibration else "not calibrated, so read them with care"
    unknown = f"; it does not know {', '.join(sorted(annotated - known))}" if annotated - known else ""
    remarks.append(f"model: {extractor.name}, from a score of {SUSPECTED} ({calibrated}){unknown}")
    seen: dict[int, list[Finding]] = {}

    def looked_at() -> Iterator[View]:
        for view, found in suspects(views, extractor, known):
            seen[id(view)] = found
            yield view

    stream = looked_at()
    for _ in progress(stream, sum(bool(v.document.entities) for v in views)) if progress else stream:
        pass
    return [finding for view in views for finding in seen.get(id(view), ())]


def _overlap(parts: dict[str, Reading]) -> list[str]:
    """Return how many of the names to measure by are in the training data too, in words."""
    if DEV not in parts:
        return []
    learned, measured = (
        [(key, e.label) for v in parts[s].views for key, e in zip(v.keys, v.document.entities, strict=True)]
        for s in (TRAIN, DEV)
    )
    if not measured or not learned:
        return []
    known = set(learned)
    share = sum(name in known for name in measured) / len(measured)
    return [f"{share:.1%} of the mentions of {DEV} have a name and label that {TRAIN} has too"]
