"""Fine-tuning of the joint model on annotated documents."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    TrainingArguments,
    set_seed,
)

from ..model.document import Document
from ..model.errors import ConfigError, ModelError
from ..model.modeling import IsnadModel
from ..model.schema import LabelSchema
from ..model.windows import WindowMaker
from . import checkpoints
from .augment import Augmenter
from .collate import Collator, ParagraphDataset
from .compute import energy, machine
from .config import FinetuneConfig, plain
from .data.annotation import Source
from .distil import load_teachers
from .finish import finish, predict
from .loading import load_model
from .methods import apply_method, merge_adapters
from .trainer import IsnadTrainer

log = logging.getLogger(__name__)

# Scores of predicted against gold documents, by name; injected so that training does not depend on eval.
Score = Callable[[Sequence[Document], Sequence[Document]], dict[str, float]]
# What follows the gradient steps: model, tokenizer, configuration, schema, training and development documents.
Finish = Callable[
    [
        IsnadModel,
        PreTrainedTokenizerBase,
        FinetuneConfig,
        LabelSchema,
        Sequence[Document],
        Sequence[Document],
    ],
    None,
]


@dataclass(frozen=True)
class Result:
    """What a run leaves.

    Attributes:
        folder: the finished model.
        metrics: development scores of the finished model, and facts about the run.
    """

    folder: Path
    metrics: dict[str, Any]


def finetune(
    config: FinetuneConfig,
    schema: LabelSchema,
    train: Sequence[Document],
    dev: Sequence[Document],
    output: str | Path,
    *,
    score: Score,
    corpora: Sequence[Source] = (),
    prepare: Callable[[IsnadModel, PreTrainedTokenizerBase], None] | None = None,
    finisher: Finish = finish,
    records: Mapping[str, str] | None = None,
    resume: bool = False,
) -> Result:
    """Train a model and leave it in `output/model`, whole or not at all.

    Args:
        config: the run.
        schema: the labels.
        train: gold documents to learn from, annotated by the schema.
        dev: gold documents for early stopping, calibration and thresholds; never a test set.
        output: folder of the run: checkpoints, tracker, `model/` with `metrics.json` and `training.yaml`.
        score: development scores by name, which must contain `span_f1` and `relation_f1`.
        corpora: gold of other conventions to learn from as well.
        prepare: changes the model before the first step.
        finisher: fits coreference, calibration and thresholds; replaced where documents annotate different labels.
        records: further text files of the model folder, by name.
        resume: continue from the newest complete checkpoint.

    Raises:
        ConfigError: the configuration contradicts itself or the data.
        ModelError: the encoder cannot be loaded, or there is a run in `output` and `resume` is off.
    """
    if not (train or corpora) or not dev:
        raise ConfigError(
            f"found {len(train)} training and {len(dev)} development documents; accepted: some of both"
        )
    output = prepare_output(Path(output), resume)
    set_seed(config.seed)
    model, tokenizer = load_model(config, schema)
    if prepare is not None:
        prepare(model, tokenizer)
    apply_method(model, config)
    sources = [Source("train", train), *corpora]
    dataset = _dataset(config, schema, sources, model, tokenizer)

    def develop(current: nn.Module) -> dict[str, float]:
        scores = score(dev, predict(current, tokenizer, dev))  # type: ignore[arg-type]
        return scores | {"mean_f1": (scores["span_f1"] + scores["relation_f1"]) / 2}

    trainer = _trainer(config, schema, output, model, tokenizer, dataset, develop)
    last = checkpoints.latest(output) if resume else None
    outcome = trainer.train(resume_from_checkpoint=str(last) if last else None)
    if not trainer.is_world_process_zero():
        # The first process finishes the model; the others wait for it.
        trainer.accelerator.wait_for_everyone()
        folder = output / "model"
        return Result(folder, json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).float().to("cpu")
    finisher(merge_adapters(model), tokenizer, config, schema, train, dev)
    metrics = {
        "dev": develop(model),
        **_facts(config, schema, trainer, outcome.metrics.get("train_runtime", 0.0)),
        "train_documents": len(train),
        "corpora_documents": {source.name: len(source.documents) for source in corpora},
        "dev_documents": len(dev),
        "unreachable_entities": len(dataset.unreachable.entities),
        "unreachable_relations": len(dataset.unreachable.relations),
    }
    folder = save_model(model, tokenizer, config, output / "model", metrics, records=records)
    trainer.accelerator.wait_for_everyone()
    return Result(folder, metrics)


def _dataset(
    config: FinetuneConfig,
    schema: LabelSchema,
    sources: Sequence[Source],
    model: IsnadModel,
    tokenizer: PreTrainedTokenizerBase,
) -> ParagraphDataset:
    """Return what is learned from, rewritten as the configuration says; gold that cannot be learned is logged."""
    maker = WindowMaker.of(tokenizer, model.config)
    settings = asdict(config.augment)
    augmenter = Augmenter(sources[0].documents, **settings) if any(settings.values()) else None
    dataset = ParagraphDataset(sources, maker, schema, augment=augmenter, seed=config.seed)
    for doc, start, end, label, why in dataset.unreachable.entities[:20]:
        log.warning("gold %s [%d:%d] of %s cannot be learned: %s", label, start, end, doc, why)
    return dataset


def _trainer(
    config: FinetuneConfig,
    schema: LabelSchema,
    output: Path,
    model: IsnadModel,
    tokenizer: PreTrainedTokenizerBase,
    dataset: ParagraphDataset,
    develop: Callable[[nn.Module], dict[str, float]],
) -> IsnadTrainer:
    return IsnadTrainer(
        model=model,
        args=_arguments(config, output),
        train_dataset=dataset,
        eval_dataset=dataset,  # Trainer insists on one; `develop` is what is measured
        data_collator=Collator(tokenizer.pad_token_id or 0),
        processing_class=tokenizer,
        callbacks=[EarlyStoppingCallback(config.patience)] if config.patience else [],
        lengths=dataset.lengths,
        develop=develop,
        head_learning_rate=config.head_learning_rate,
        distillation=load_teachers(config.distil, model, tokenizer, schema),
    )


def _facts(
    config: FinetuneConfig, schema: LabelSchema, trainer: IsnadTrainer, runtime: float
) -> dict[str, Any]:
    """Return what the model card says of a run: time, machine, energy, epochs, seed and schema."""
    seconds = round(runtime, 1)
    return {
        "seconds": seconds,
        "machine": machine(),
        "energy_estimate": energy(seconds, config.watts),
        "epochs": trainer.state.epoch,
        "best_step": trainer.state.best_global_step,
        "seed": config.seed,
        "schema": schema.hash,
    }


def save_model(
    model: IsnadModel,
    tokenizer: PreTrainedTokenizerBase,
    config: FinetuneConfig,
    folder: Path,
    metrics: dict[str, Any],
    *,
    dtype: torch.dtype = torch.float32,
    records: Mapping[str, str] | None = None,
) -> Path:
    """Write weights, tokenizer, configuration, metrics and further records; the folder appears when it is complete."""
    with checkpoints.writing(folder.parent):
        temporary = folder.with_name(folder.name + ".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        model.to(dtype=dtype).save_pretrained(temporary)  # type: ignore[call-arg]
        tokenizer.save_pretrained(temporary)
        (temporary / "metrics.json").write_text(
            json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        resolved = yaml.safe_dump(plain(asdict(config)), allow_unicode=True, sort_keys=False)
        for name, text in {"training.yaml": resolved, **(records or {})}.items():
            (temporary / name).write_text(text, encoding="utf-8")
        checkpoints.publish(temporary, folder)
    return folder


def _arguments(config: FinetuneConfig, output: Path) -> TrainingArguments:
    if config.tracker == "trackio":
        # The tracker's SQLite file stands beside the checkpoints unless the user has chosen a place for all runs.
        os.environ.setdefault("TRACKIO_DIR", str((output / "trackio").resolve()))
    return TrainingArguments(
        output_dir=str(output),
        run_name=config.name,
        project="isnad",
        report_to=config.tracker,
        trackio_space_id=None,
        trackio_static_space_id=False,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.encoder_learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,
        lr_scheduler_type="cosine",
        max_grad_norm=1.0,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=config.keep == "best",
        metric_for_best_model=f"eval_{config.metric}",
        greater_is_better=True,
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16_wanted(config.precision),
        # Teachers ask heads outside of the model's own pass, which several processes would take for unused in it.
        ddp_find_unused_parameters=False if config.distil.teachers else None,
        remove_unused_columns=False,
        label_names=["gold"],
    )


def bf16_wanted(precision: str) -> bool:
    """Whether to train in bfloat16: where asked for, or where the device computes in it natively."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    cpu = torch.cpu
    return bool(cpu._is_amx_tile_supported() or cpu._is_avx512_bf16_supported())


def prepare_output(output: Path, resume: bool) -> Path:
    """Make the folder of a run and tidy it; ConfigError if it cannot be written, ModelError if a run is in it."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe = output / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"cannot write to {output}: {error.strerror}; choose another folder with -o"
        ) from error
    if not resume and any(output.glob(checkpoints.PREFIX + "*")):
        raise ModelError(
            f"{output} holds checkpoints of an earlier run; pass --resume, or choose another folder"
        )
    checkpoints.tidy(output)
    return output
