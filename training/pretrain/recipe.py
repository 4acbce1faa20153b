"""The pretraining recipe: tokenizer, vectors, packed stream, masked language model; each step once.

A step whose output exists is skipped, so a recipe that was cut off goes on where it stopped.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Subset
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Trainer, TrainingArguments

from .. import checkpoints
from ..atomic import AtomicCheckpoints
from .corpus import mixture
from .mlm import PackedBlocks, WholeWordMasking, pack, warm_start
from .skipgram import train_vectors, write_pieces
from .tokenizer import fertility, train_tokenizer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PretrainConfig:
    """One pretraining run; every field is a key of the YAML file.

    Attributes:
        tokenizer_texts, vector_texts: file to weight, see `corpus.mixture`; paths are relative to where the
            command runs.
        fertility_text: news not in the training texts; pieces a word and unknown rate are reported on it.
        vocab_size: pieces.
        vectors: keyword arguments of `skipgram.train_vectors`.
        encoder: fields of `IsnadEncoderConfig`.
        blocks: number of leading blocks of the stream used for language modelling, 0 for all (the texts
            stand in the order of `vector_texts`, so this picks the first of them).
        block_size: pieces of a block.
        batch_size: blocks of a step.
        steps: optimizer steps.
        learning_rate, warmup_steps, weight_decay: of AdamW with a cosine schedule.
        mask_rate: share of words masked.
        save_steps: steps between checkpoints.
        finetune_dropout: written into the finished encoder: fine-tuning on little text needs more of it.
        seed: of masking, order and initialisation.
    """

    tokenizer_texts: dict[str, float]
    vector_texts: dict[str, float]
    fertility_text: str = ""
    vocab_size: int = 32_000
    vectors: dict[str, Any] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)
    blocks: int = 0
    block_size: int = 96
    batch_size: int = 48
    steps: int = 1000
    learning_rate: float = 1.5e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    mask_rate: float = 0.15
    save_steps: int = 200
    finetune_dropout: float = 0.3
    seed: int = 1


class PretrainTrainer(AtomicCheckpoints, Trainer):
    """Trainer with atomic, pickle-free checkpoints."""


def pretrain(config: PretrainConfig, output: Path) -> Path:
    """Run the recipe and return the folder of the encoder, an ordinary transformers checkpoint.

    Args:
        config: the run.
        output: working folder: `tokenizer/`, `vectors.npy`, `stream.npy`, `mlm/`, `encoder/`, `report.json`.
    """
    output.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(config, output)
    vectors = _vectors(config, output, tokenizer)
    encoder = output / "encoder"
    if (encoder / "config.json").is_file():
        log.info("%s exists, nothing to do", encoder)
        return encoder
    model = warm_start(tokenizer, vectors, **config.encoder)
    blocks = PackedBlocks(output / "stream.npy", config.block_size)
    data = Subset(blocks, range(min(config.blocks or len(blocks), len(blocks))))
    trainer = PretrainTrainer(
        model=model,
        args=_arguments(config, output / "mlm"),
        train_dataset=data,
        data_collator=WholeWordMasking(tokenizer, rate=config.mask_rate, seed=config.seed),
    )
    last = checkpoints.latest(output / "mlm") if (output / "mlm").is_dir() else None
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    temporary = output / "encoder.tmp"
    model.encoder.config.dropout = model.encoder.config.embedding_dropout = config.finetune_dropout
    model.encoder.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    history = [{k: v for k, v in row.items() if k in ("step", "loss")} for row in trainer.state.log_history]
    (temporary / "pretraining.json").write_text(json.dumps(history, indent=1), encoding="utf-8")
    checkpoints.publish(temporary, encoder)
    return encoder


def _arguments(config: PretrainConfig, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_steps,
        lr_scheduler_type="cosine",
        weight_decay=config.weight_decay,
        max_grad_norm=1.0,
        logging_steps=25,
        save_steps=config.save_steps,
        save_total_limit=1,
        report_to="none",
        remove_unused_columns=False,
        use_cpu=True,
        seed=config.seed,
    )


def _tokenizer(config: PretrainConfig, output: Path) -> PreTrainedTokenizerBase:
    folder = output / "tokenizer"
    if not (folder / "tokenizer.json").is_file():
        tokenizer = train_tokenizer(mixture(_sources(config.tokenizer_texts)), vocab_size=config.vocab_size)
        _whole(folder, tokenizer.save_pretrained)
        if config.fertility_text:
            report = fertility(tokenizer, Path(config.fertility_text))
            (output / "report.json").write_text(json.dumps({"fertility": report}, indent=2), encoding="utf-8")
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _vectors(config: PretrainConfig, output: Path, tokenizer: PreTrainedTokenizerBase) -> Any:
    pieces, stream, table = output / "pieces.txt", output / "stream.npy", output / "vectors.npy"
    if not table.is_file():
        write_pieces(mixture(_sources(config.vector_texts)), tokenizer, pieces)
        _whole(
            table, lambda temporary: _save(temporary, train_vectors(pieces, len(tokenizer), **config.vectors))
        )
    if not stream.is_file():
        _whole(stream, lambda temporary: pack(pieces, temporary, tokenizer.sep_token_id))
    return np.load(table, allow_pickle=False)


def _save(path: Path, array: Any) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary path and give it its name when it is complete."""
    temporary = path.with_name(path.name + ".tmp")
    write(temporary)
    os.replace(temporary, path)


def _sources(texts: dict[str, float]) -> list[tuple[Path, float]]:
    return [(Path(name), weight) for name, weight in texts.items()]
