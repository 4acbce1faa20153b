"""The run of an extension: `finetune` with the sources, the scores and the thresholds that it needs."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from ..model.document import Document
from .extend import RECORD, Extension
from .extend_data import restrict
from .extend_finish import finish_extension, inherited_decisions
from .finetune import Finish, Result, Score, finetune
from .rows import row_starter


def extend(extension: Extension, output: str | Path, *, score: Score, resume: bool = False) -> Result:
    """Train the extended model and leave it in `output/model`.

    Args:
        extension: from `plan_extension`.
        output: folder of the run, as for `finetune`.
        score: development scores of gold and predicted documents; it sees of both only what is known.
        resume: continue from the newest complete checkpoint.

    Raises:
        ConfigError, ModelError: as `finetune`.
    """
    config = extension.config
    return finetune(
        config,
        extension.schema,
        (),
        extension.dev,
        Path(output),
        score=known_score(extension, score),
        corpora=extension.sources,
        prepare=row_starter(config.extend.rows, extension.schema, extension.changes.added, extension.new),
        finisher=finisher(extension),
        records={RECORD: json.dumps(extension.record(), ensure_ascii=False, indent=1) + "\n"},
        resume=resume,
    )


def finisher(extension: Extension) -> Finish:
    """Return what fits coreference, calibration and thresholds of a model that was trained as planned."""
    labels = {*extension.schema.entity_labels, *extension.schema.relation_labels}
    return finish_extension(
        extension.measured,
        [restrict(document, labels) for source in extension.sources for document in source.documents],
        extension.coreferent,
        new=unmeasured_before(extension),
        inherited=inherited_decisions(extension.base_config, extension.changes.sources),
    )


def unmeasured_before(extension: Extension) -> list[str]:
    """Return the labels that only the new development data knows."""
    *old, _ = extension.measured
    seen = {label for known in old for label in known.labels}
    schema = extension.schema
    return [label for label in (*schema.entity_labels, *schema.relation_labels) if label not in seen]


def known_score(
    extension: Extension, score: Score
) -> Callable[[Sequence[Document], Sequence[Document]], dict[str, float]]:
    """Return a score that looks, in each document, at the labels that are annotated there.

    Beside the names that `score` gives it has `old_span_f1` and `new_span_f1`, of the documents of either kind.
    """
    known = {d.id: k.labels for k in extension.measured for d in k.documents}
    new = {d.id for d in extension.new_dev.documents}

    def run(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, float]:
        found = [restrict(p, known[g.id]) for g, p in zip(gold, predicted, strict=True)]
        scores = dict(score(gold, found))
        for name, wanted in (("new", True), ("old", False)):
            chosen = [(g, p) for g, p in zip(gold, found, strict=True) if (g.id in new) == wanted]
            if chosen:
                part = score([g for g, _ in chosen], [p for _, p in chosen])
                scores[f"{name}_span_f1"] = part["span_f1"]
                scores[f"{name}_relation_f1"] = part["relation_f1"]
        return scores

    return run
