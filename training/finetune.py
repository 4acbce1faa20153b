"""Fine-tuning of the joint model on annotated documents."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    TrainingArguments,
    set_seed,
)

from ..model.backends.torch_backend import TorchBackend
from ..model.document import Document
from ..model.errors import ConfigError, ModelError
from ..model.inference import Extractor
from ..model.modeling import IsnadModel
from ..model.schema import LabelSchema
from ..model.store import resolve
from ..model.windows import WindowMaker
from . import checkpoints
from .augment import Augmenter
from .calibrate import calibrate, observe
from .collate import Collator, ParagraphDataset
from .config import EncoderConfig, FinetuneConfig
from .coreference_fit import fit_coreference, mention_pairs
from .examples import Unreachable, build_examples
from .trainer import IsnadTrainer

log = logging.getLogger(__name__)

# From this share of the training entities on, spans of one label may begin at the same place.
_SAME_START = 0.005

# Scores of predicted against gold documents, by name; injected so that training does not depend on eval.
Score = Callable[[Sequence[Document], Sequence[Document]], dict[str, float]]


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
    resume: bool = False,
) -> Result:
    """Train a model and leave it in `output/model`, whole or not at all.

    Args:
        config: the run.
        schema: the labels.
        train: gold documents to learn from.
        dev: gold documents for early stopping, calibration and thresholds; never a test set.
        output: folder of the run: checkpoints, tracker, `model/` with `metrics.json` and `training.yaml`.
        score: development scores by name, which must contain `span_f1` and `relation_f1`.
        resume: continue from the newest complete checkpoint.

    Raises:
        ConfigError: the configuration contradicts itself or the data.
        ModelError: the encoder cannot be loaded, or there is a run in `output` and `resume` is off.
    """
    if not train or not dev:
        raise ConfigError(
            f"found {len(train)} training and {len(dev)} development documents; accepted: some of both"
        )
    output = _prepare_output(Path(output), resume)
    set_seed(config.seed)
    model, tokenizer = load_model(config, schema)
    maker = WindowMaker(
        tokenizer, max_pieces=model.config.max_pieces, overlap_pieces=model.config.overlap_pieces
    )
    unreachable = _unreachable(train, maker, schema)
    augment = config.augment
    augmenter = Augmenter(train, **asdict(augment)) if any(asdict(augment).values()) else None
    dataset = ParagraphDataset(train, maker, schema, augment=augmenter, seed=config.seed)

    def develop(current: nn.Module) -> dict[str, float]:
        scores = score(dev, predict(current, tokenizer, dev))  # type: ignore[arg-type]
        return scores | {"mean_f1": (scores["span_f1"] + scores["relation_f1"]) / 2}

    trainer = IsnadTrainer(
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
    )
    last = checkpoints.latest(output) if resume else None
    outcome = trainer.train(resume_from_checkpoint=str(last) if last else None)
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).float().to("cpu")
    finish(model, tokenizer, config, schema, train, dev)
    metrics = {
        "dev": develop(model),
        "seconds": round(outcome.metrics.get("train_runtime", 0.0), 1),
        "epochs": trainer.state.epoch,
        "best_step": trainer.state.best_global_step,
        "train_documents": len(train),
        "dev_documents": len(dev),
        "unreachable_entities": len(unreachable.entities),
        "unreachable_relations": len(unreachable.relations),
        "seed": config.seed,
        "schema": schema.hash,
    }
    return Result(save_model(model, tokenizer, config, output / "model", metrics), metrics)


def load_model(config: FinetuneConfig, schema: LabelSchema) -> tuple[IsnadModel, PreTrainedTokenizerBase]:
    """Return the model to train and its tokenizer: continued, on a pretrained encoder, or from scratch."""
    source = config.encoder
    folder, kind = _encoder_folder(source)
    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=not source.download, trust_remote_code=False
    )
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"{folder}: its tokenizer has no fast version; accepted: a folder with tokenizer.json"
        )
    if kind == "isnad":
        model = _continued(folder, config.model)
        if model.schema == schema:
            _reset_decisions(model)
            return model, tokenizer
        encoder: Any = model.encoder
    elif source.scratch:
        values = dict(source.scratch)
        try:
            encoder = AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values))
        except (KeyError, ValueError) as error:
            raise ConfigError(f"encoder.scratch: {str(error).splitlines()[0]}") from error
        if encoder.get_input_embeddings().num_embeddings < len(tokenizer):
            raise ConfigError(
                f"encoder.scratch: vocab_size {encoder.get_input_embeddings().num_embeddings} is below the "
                f"tokenizer's {len(tokenizer)}; write vocab_size: {len(tokenizer)}"
            )
    else:
        encoder = folder
    limit = _position_limit(encoder, source)
    sizes = {"max_pieces": min(256, limit), **config.model}
    if sizes["max_pieces"] > limit:
        raise ConfigError(
            f"model.max_pieces is {sizes['max_pieces']}, but the encoder has positions for {limit}; "
            f"write max_pieces: {limit} or less"
        )
    return IsnadModel.from_encoder(encoder, schema, local_files_only=not source.download, **sizes), tokenizer


def _continued(folder: str, settings: dict[str, Any]) -> IsnadModel:
    """Return a trained model with some fields of its configuration set anew."""
    try:
        return IsnadModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, **settings
        )
    except RuntimeError as error:
        raise ConfigError(
            f"the weights in {folder} do not fit the sizes under 'model' ({', '.join(settings)}); accepted: the "
            "sizes that the model was trained with, which may be left out"
        ) from error


def predict(
    model: IsnadModel, tokenizer: PreTrainedTokenizerBase, documents: Sequence[Document]
) -> list[Document]:
    """Return what a model in memory finds in the texts of gold documents."""
    device = next(model.parameters()).device
    extractor = Extractor(TorchBackend(model, tokenizer.pad_token_id or 0, device), model.config, tokenizer)
    return list(extractor.pipe((d.id, d.text) for d in documents))


def finish(
    model: IsnadModel,
    tokenizer: PreTrainedTokenizerBase,
    config: FinetuneConfig,
    schema: LabelSchema,
    train: Sequence[Document],
    dev: Sequence[Document],
) -> None:
    """Fit the coreference head on the training data, then calibration and thresholds on the development data."""
    maker = WindowMaker(
        tokenizer, max_pieces=model.config.max_pieces, overlap_pieces=model.config.overlap_pieces
    )
    pad_id = tokenizer.pad_token_id or 0
    model.eval()
    pairs = mention_pairs(model, maker, schema, train, pad_id)
    if pairs is not None:
        fit_coreference(model, pairs, seed=config.seed)
    model.config.model_name = config.name
    model.config.same_start = same_start_share(train) > _SAME_START
    if not config.calibrate:
        return
    observed = observe(TorchBackend(model, pad_id), maker, schema, dev)
    model.config.calibration = {}
    for kind, labels, observations in zip(
        ("entity", "relation"), (schema.entity_labels, schema.relation_labels), observed, strict=True
    ):
        fitted = calibrate(observations)
        model.config.calibration[kind] = {
            label: [round(float(x), 4) for x in row]
            for label, row in zip(labels, fitted.scaling, strict=True)
        }
        thresholds = {label: round(float(t), 4) for label, t in zip(labels, fitted.thresholds, strict=True)}
        setattr(model.config, f"{kind}_thresholds", thresholds)


def same_start_share(documents: Sequence[Document]) -> float:
    """Return the share of entities that begin where a longer one of the same label begins."""
    entities = [(n, e.label, e.start) for n, document in enumerate(documents) for e in document.entities]
    return 1 - len(set(entities)) / max(1, len(entities))


def save_model(
    model: IsnadModel,
    tokenizer: PreTrainedTokenizerBase,
    config: FinetuneConfig,
    folder: Path,
    metrics: dict[str, Any],
    *,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write weights, tokenizer, resolved configuration and metrics; the folder appears when it is complete."""
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.to(dtype=dtype).save_pretrained(temporary)  # type: ignore[call-arg]
    tokenizer.save_pretrained(temporary)
    (temporary / "metrics.json").write_text(
        json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    resolved = yaml.safe_dump(_plain(asdict(config)), allow_unicode=True, sort_keys=False)
    (temporary / "training.yaml").write_text(resolved, encoding="utf-8")
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
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{config.metric}",
        greater_is_better=True,
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16_wanted(config.precision),
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


def _prepare_output(output: Path, resume: bool) -> Path:
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe = output / ".writable"
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
    return output


def _encoder_folder(source: EncoderConfig) -> tuple[str, str]:
    """Return (folder or hub name, model_type) of the encoder to start from."""
    path = Path(source.path)
    if (path / "config.json").is_file():
        return str(path), str(
            json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
        )
    if path.is_dir() and source.scratch:
        return str(path), ""
    if source.download:
        return source.path, str(AutoConfig.from_pretrained(source.path, trust_remote_code=False).model_type)
    try:
        return str(resolve(source.path if not path.is_dir() else path)), "isnad"
    except ModelError as error:
        raise ModelError(
            f"encoder.path is {source.path!r}, which is no local folder with a config.json; accepted: such a folder, "
            "an embedded model, or a hub name with 'download: true'"
        ) from error


def _position_limit(encoder: Any, source: EncoderConfig) -> int:
    config = (
        AutoConfig.from_pretrained(encoder, local_files_only=not source.download, trust_remote_code=False)
        if isinstance(encoder, str)
        else encoder.config
    )
    # RoBERTa-like models count positions from pad_token_id + 1; two are kept back for that.
    return int(getattr(config, "max_position_embeddings", 512) or 512) - 2


def _reset_decisions(model: IsnadModel) -> None:
    model.config.calibration = None
    model.config.entity_thresholds = model.config.relation_thresholds = None


def _unreachable(documents: Sequence[Document], maker: WindowMaker, schema: LabelSchema) -> Unreachable:
    found = Unreachable()
    for document in documents:
        for _ in build_examples(document, maker, schema, unreachable=found):
            pass
    for doc, start, end, label, why in found.entities[:20]:
        log.warning("gold %s [%d:%d] of %s cannot be learned: %s", label, start, end, doc, why)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
