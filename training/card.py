"""The model card of an embedded model, written from what its training left; nothing in it is typed by hand."""

import json
from pathlib import Path
from typing import Any

import yaml

from ..model.modeling import IsnadModel

_TEXT = """---
language: ar
license: apache-2.0
library_name: isnad
tags: [named-entity-recognition, relation-extraction, coreference, arabic]
---

# {name}

Nested entities ({entities} types), relations ({relations} types), proclitic boundaries and coreference in Arabic
text. {parameters:,} parameters, stored in bfloat16, computed in float32 on a CPU.

## Training

- Encoder: `{encoder_type}`, pretrained on raw Arabic text (news first, then Wikipedia and modern books); see
  `configs/pretrain/`. The raw texts are not distributed; several news sources state no licence and some are
  non-commercial.
- Fine-tuning data: {train}. {train_documents} documents as listed (a source that is named twice counts twice). The
  authored corpus is fiction for training, not a source of facts (`seeds/README.md`), CC BY 4.0.
- Calibration and thresholds: {dev}, {dev_documents} documents.
- Schema `{schema}` ({schema_hash}); seed {seed}; {epochs:g} epochs, {seconds:.0f} seconds.

## Development scores

On the documents that also chose epoch, calibration and thresholds, so they flatter:

| score | value |
|---|---:|
{scores}

Scores on text that the model has not seen are in the project's README (leave-one-article-out) and `eval/results/`.

## Intended use and weaknesses

For analysts, researchers and engineers who read results with their scores, not for decisions about people without a
human reading the text. Trained on little text of one genre: expect lower scores outside news, on dialect, and on
names that are rare or foreign. Relations are found within one paragraph only. Coreference covers names, not pronouns.
"""


def write_card(model: IsnadModel, folder: Path) -> None:
    """Write `README.md` into a model folder that has its `metrics.json` and `training.yaml`."""
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    run: dict[str, Any] = yaml.safe_load((folder / "training.yaml").read_text(encoding="utf-8"))
    schema = model.schema
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {100 * value:.1f} |" for name, value in metrics["dev"].items()
    )
    text = _TEXT.format(
        name=model.config.model_name,
        entities=len(schema.entities),
        relations=len(schema.relations),
        parameters=sum(p.numel() for p in model.parameters()),
        encoder_type=model.config.encoder_config().model_type,
        train=", ".join(f"`{source}`" for source in run["data"]["train"]),
        dev=", ".join(f"`{source}`" for source in run["data"]["dev"]),
        train_documents=metrics["train_documents"],
        dev_documents=metrics["dev_documents"],
        schema=schema.name,
        schema_hash=schema.hash,
        seed=metrics["seed"],
        epochs=metrics["epochs"],
        seconds=metrics["seconds"],
        scores=rows,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
