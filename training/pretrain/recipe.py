"""The pretraining recipe: tokenizer, vectors and token shards, then the objective; each step once.

A step whose output exists is skipped, and a training that was cut off goes on exactly where it stood.
"""

import importlib.util
import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PrinterCallback, TrainingArguments, set_seed

from ...model.errors import ConfigError
from .. import checkpoints
from ..finetune import bf16_wanted
from .encoders import RECURRENT, fresh_encoder, set_vectors, take_over
from .mlm import PackedBlocks, ShuffledBlocks, WholeWordMasking
from .objectives import MaskedLanguageModel, ReplacedTokenDetection
from .prepare import Prepared, prepare
from .progress import ProgressBar
from .report import report
from .schedule import Budget, Pace
from .settings import PretrainConfig
from .trainer import PretrainTrainer

__all__ = ["PretrainConfig", "PretrainTrainer", "build_model", "pretrain", "run_folder", "train_encoder"]

log = logging.getLogger(__name__)

# Steps of a training whose end is a time; no machine takes as many.
_ENDLESS = 10**9


def pretrain(config: PretrainConfig, output: Path, *, stop_after: float = 0.0) -> Path | None:
    """Run the recipe and return the folder of the encoder, an ordinary transformers checkpoint.

    Args:
        config: the run.
        output: working folder: `tokenizer/`, `vectors.npy`, `stream-000.npy`… and `prepared.json` (unless
            `config.prepared` names another folder for these), `mlm/` or `electra/` with checkpoints and the
            tracker, `encoder/`.
        stop_after: minutes after which this sitting ends with a checkpoint; the next one goes on; 0: no limit.

    Returns:
        None if the sitting ended before the budget was used up.
    """
    encoder = output / "encoder"
    if (encoder / "config.json").is_file():
        log.info("%s exists, nothing to do", encoder)
        return encoder
    prepared = prepare(config, Path(config.prepared) if config.prepared else output)
    return train_encoder(config, prepared, output, stop_after=stop_after)


def train_encoder(
    config: PretrainConfig, prepared: Prepared, output: Path, *, stop_after: float = 0.0, **options: Any
) -> Path | None:
    """Train on what is prepared and leave the encoder in `output/encoder`, whole or not at all.

    Args:
        config: the run.
        prepared: tokenizer, vectors and stream.
        output: working folder; a training that was begun in it goes on.
        stop_after: see `pretrain`.
        **options: of `schedule.Budget`, a clock for tests.

    Returns:
        The folder of the encoder; None if the sitting ended before the budget was used up.
    """
    budget = Budget(steps=config.steps, seconds=60 * config.minutes, **options)
    folder = run_folder(config, output)
    last = checkpoints.latest(folder) if folder.is_dir() else None
    # A run that goes on has its own weights; those it began with may be gone by now.
    begun = replace(config, continue_from="") if last else config
    trainer = make_trainer(begun, prepared, output, budget, stop_after=stop_after)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if budget.share(trainer.state.global_step) < 1:
        log.info("stopped after step %d; run the same again to go on", trainer.state.global_step)
        return None
    model: Any = trainer.model
    return _publish(config, prepared, model.encoder.float().to("cpu"), trainer, budget, output)


def run_folder(config: PretrainConfig, output: Path) -> Path:
    """Return the folder of a run's checkpoints."""
    return output / config.objective


def make_trainer(
    config: PretrainConfig, prepared: Prepared, output: Path, budget: Budget, *, stop_after: float = 0.0
) -> PretrainTrainer:
    """Return the trainer of a run: model, data, schedule and callbacks."""
    set_seed(config.seed)
    model = build_model(config, prepared)
    blocks = PackedBlocks(prepared.stream, config.block_size)
    if not len(blocks):
        raise ConfigError(f"block_size is {config.block_size}; accepted: less than the stream has pieces")
    steps = config.steps or _ENDLESS
    # Where a generator fills the gaps, every chosen piece is one (Clark et al. 2020, section 2).
    masking = {"masked": 1.0, "noise": 0.0} if config.objective == "electra" else {}
    trainer = PretrainTrainer(
        model=model,
        args=_arguments(config, run_folder(config, output), steps),
        train_dataset=ShuffledBlocks(
            blocks, seed=config.seed, size=steps * config.batch_size, count=config.blocks
        ),
        data_collator=WholeWordMasking(
            prepared.tokenizer, rate=config.mask_rate, seed=config.seed, **masking
        ),
        budget=budget,
        warmup=config.warmup,
        decay=config.decay,
        callbacks=[
            Pace(
                budget,
                save_seconds=60 * config.save_minutes,
                save_steps=config.save_steps,
                sitting_seconds=60 * stop_after,
            ),
            ProgressBar(budget, config.batch_size * config.block_size),
        ],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def build_model(config: PretrainConfig, prepared: Prepared) -> nn.Module:
    """Return the objective around a fresh encoder, warm where the configuration says so."""
    tokenizer = prepared.tokenizer
    encoder = fresh_encoder(config.encoder, tokenizer)
    if config.warm_start and prepared.vectors is not None and not config.continue_from:
        set_vectors(encoder, prepared.vectors)
    options: dict[str, Any] = {
        "document_start": tokenizer.cls_token_id if config.separate_documents else None
    }
    # The recurrent encoder's head is that of `IsnadEncoderForMaskedLM`, which then loads the checkpoints.
    transform = config.model_type != RECURRENT
    model: nn.Module
    if config.objective == "electra":
        narrow = fresh_encoder({**config.encoder, **config.generator}, tokenizer)
        generator = MaskedLanguageModel(narrow, transform=transform, **options)
        model = ReplacedTokenDetection(encoder, generator, weight=config.detector_weight, **options)
    else:
        model = MaskedLanguageModel(encoder, transform=transform, **options)
    if config.continue_from:
        fresh = take_over(model, Path(config.continue_from))
        log.info("weights of %s taken over; fresh: %s", config.continue_from, ", ".join(fresh) or "none")
    if config.compile == "always" or (config.compile == "auto" and torch.cuda.is_available()):
        compile_layers(model)
    return model


def compile_layers(model: nn.Module) -> int:
    """Compile each layer of a transformer by itself, and return how many there are.

    Layers of one shape share the compiled code, which is ready in a fraction of the time that a whole model
    takes. Recurrent layers run in a kernel of their own and are left alone.
    """
    count = 0
    for module in model.modules():
        if isinstance(module, nn.ModuleList):
            for layer in module:
                if not any(isinstance(part, nn.RNNBase) for part in layer.modules()):
                    # Static: generator and encoder differ in width, which must not become a symbol of both.
                    layer.compile(dynamic=False)
                    count += 1
    return count


def _publish(
    config: PretrainConfig,
    prepared: Prepared,
    encoder: Any,
    trainer: PretrainTrainer,
    budget: Budget,
    output: Path,
) -> Path:
    final, temporary = output / "encoder", output / "encoder.tmp"
    for key, value in config.finetuning.items():
        setattr(encoder.config, key, value)
    encoder.save_pretrained(temporary)
    prepared.tokenizer.save_pretrained(temporary)
    content = report(config, prepared.report, trainer.state, budget.used)
    (temporary / "pretraining.json").write_text(
        json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    checkpoints.publish(temporary, final)
    return final


def _arguments(config: PretrainConfig, folder: Path, steps: int) -> TrainingArguments:
    tracker = config.tracker
    if tracker != "none" and importlib.util.find_spec(tracker) is None:
        log.warning("%s is not installed: the loss curve is kept in pretraining.json only", tracker)
        tracker = "none"
    if tracker == "trackio":
        # The tracker's SQLite file stands beside the checkpoints unless the user has chosen a place for all runs.
        os.environ.setdefault("TRACKIO_DIR", str((folder / "trackio").resolve()))
    workers = config.workers
    return TrainingArguments(
        output_dir=str(folder),
        run_name=config.name,
        project="isnad",
        report_to=tracker,
        trackio_space_id=None,
        trackio_static_space_id=False,
        max_steps=steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        max_grad_norm=1.0,
        logging_steps=config.log_steps,
        # When to save and how to show progress is decided by `Pace` and `ProgressBar`.
        save_strategy="no",
        save_total_limit=1,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=workers,
        dataloader_persistent_workers=workers > 0,
        dataloader_prefetch_factor=4 if workers else None,
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16_wanted(config.precision),
        seed=config.seed,
    )
