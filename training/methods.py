"""How much of a model a training changes: everything, all but the encoder, or low-rank factors beside its weights."""

import logging

from torch import nn

from ..model.errors import ConfigError
from ..model.modeling import IsnadModel
from .config import FinetuneConfig

log = logging.getLogger(__name__)


def apply_method(model: IsnadModel, config: FinetuneConfig) -> None:
    """Freeze what `config.method` leaves alone, and put LoRA factors into the encoder if it asks for them.

    `head` trains word, span, proclitic, relation and mention heads on a frozen encoder. `lora` trains them and
    low-rank factors beside every linear layer of the encoder (Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large
    Language Models", section 4.1), of which `merge_adapters` leaves nothing but ordinary weights.

    Raises:
        ConfigError: LoRA for an encoder without linear layers, or peft is not installed.
    """
    if config.method == "full":
        return
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(False)
    if config.method == "head":
        return
    layers = linear_layers(model.encoder)
    if not layers:
        raise ConfigError(
            f"method is 'lora', but the encoder ({model.encoder.config.model_type}) is recurrent and has no linear "
            "layers to adapt; accepted: 'head' or 'full', which trains this small encoder in little more time"
        )
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        raise ConfigError(
            "method 'lora' needs peft, which is not installed; write: pip install 'isnad[lora]'"
        ) from error
    settings = LoraConfig(
        r=config.lora.rank,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=layers,
        bias="none",
    )
    inject_adapter_in_model(settings, model.encoder)
    trained = sum(p.numel() for p in model.encoder.parameters() if p.requires_grad)
    log.info("LoRA of rank %d in %d layers, %d parameters", config.lora.rank, len(layers), trained)


def linear_layers(encoder: nn.Module) -> list[str]:
    """Return the names of the linear layers that the encoder's states pass through, the unused pooler left out."""
    return [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith("pooler")
    ]


def merge_adapters(model: IsnadModel) -> IsnadModel:
    """Add LoRA factors to the weights beside which they were learned, and make everything trainable again."""
    adapted = [
        (n, m) for n, m in model.encoder.named_modules() if hasattr(m, "lora_A") and hasattr(m, "merge")
    ]
    for name, module in adapted:
        module.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(model.encoder.get_submodule(parent), child, module.get_base_layer())
    if hasattr(model.encoder, "peft_config"):
        del model.encoder.peft_config
    return model.requires_grad_(True)
