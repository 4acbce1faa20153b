"""What an encoder is pretrained to do: predict masked pieces, or find the pieces that were replaced."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...model.errors import ConfigError
from .encoders import embedding_size, piece_table


class MaskedLanguageModel(nn.Module):
    """Masked language modelling (Devlin et al. 2019, section 3.1) with tied piece vectors.

    The softmax is computed at the masked positions alone, about a seventh of them, since the projection to the
    vocabulary costs more than a small encoder. Names of the parameters are those of `IsnadEncoderForMaskedLM`,
    which loads a checkpoint of this class where the encoder is recurrent.

    Args:
        encoder: anything that AutoModel knows.
        transform: whether GELU and layer norm stand between the projection and the vocabulary, as is usual over
            transformers.
        document_start: id of the piece that begins a document, if attention must not cross into another document.
    """

    def __init__(
        self, encoder: PreTrainedModel, *, transform: bool = True, document_start: int | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        width, size = int(encoder.config.hidden_size), embedding_size(encoder)
        self.projection = nn.Linear(width, size)
        self.transform = nn.Sequential(nn.GELU(), nn.LayerNorm(size)) if transform else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(len(piece_table(encoder))))
        self._document_start = document_start

    def predict(self, input_ids: Tensor, chosen: Tensor) -> Tensor:
        """Return logits [chosen positions, vocabulary], float32, for pieces [batch, length]."""
        states = encode(self.encoder, input_ids, self._document_start)[chosen]
        features = self.transform(self.projection(states))
        return nn.functional.linear(features, piece_table(self.encoder), self.bias).float()

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Any]:
        """Return `loss` and its `parts`.

        Args:
            input_ids: [batch, length], some pieces masked.
            labels: [batch, length], the masked pieces, -100 elsewhere.
        """
        chosen = labels != -100
        loss = nn.functional.cross_entropy(self.predict(input_ids, chosen), labels[chosen])
        return {"loss": loss, "parts": {}}


class ReplacedTokenDetection(nn.Module):
    """Replaced-token detection (Clark et al. 2020, "ELECTRA: Pre-training Text Encoders as Discriminators…").

    A small generator fills masked positions; the encoder tells at every position whether the piece is the
    original one (section 2). Both train together, and the loss is the generator's plus `weight` times the
    encoder's. What the generator draws carries no gradient. The generator reads the encoder's piece vectors
    (section 3.2).

    Args:
        encoder: the discriminator, which is kept.
        generator: thrown away in the end.
        weight: of the encoder's loss; 50 in the paper, since a binary loss is much smaller.
        document_start: see `MaskedLanguageModel`.

    Raises:
        ConfigError: the generator's piece vectors have another width.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        generator: MaskedLanguageModel,
        *,
        weight: float = 50.0,
        document_start: int | None = None,
    ) -> None:
        super().__init__()
        here, there = embedding_size(encoder), embedding_size(generator.encoder)
        if here != there:
            raise ConfigError(
                f"generator: its piece vectors have the width {there}, those of the encoder {here}, and they are "
                "shared; accepted: an architecture whose embedding size is apart from its hidden size (electra, "
                "isnad-encoder), or a generator of the same hidden size with fewer layers"
            )
        self.encoder, self.generator, self.weight = encoder, generator, weight
        generator.encoder.set_input_embeddings(encoder.get_input_embeddings())
        width = int(encoder.config.hidden_size)
        self.detector = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))
        self._document_start = document_start

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Any]:
        """Return `loss` and its `parts`: both losses, and which share of the replaced pieces was found.

        Args:
            input_ids: [batch, length], some pieces masked.
            labels: [batch, length], the masked pieces, -100 elsewhere.
        """
        chosen = labels != -100
        logits = self.generator.predict(input_ids, chosen)
        generated = nn.functional.cross_entropy(logits, labels[chosen])
        original = torch.where(chosen, labels, input_ids)
        corrupted = original.clone()
        with torch.no_grad():
            corrupted[chosen] = torch.multinomial(logits.softmax(dim=-1), 1)[:, 0]
        # A piece that the generator guessed right counts as original (section 2).
        replaced = corrupted != original
        scores = self.detector(encode(self.encoder, corrupted, self._document_start))[..., 0].float()
        detected = nn.functional.binary_cross_entropy_with_logits(scores, replaced.float())
        with torch.no_grad():
            found = ((scores > 0) & replaced).sum() / replaced.sum().clamp(min=1)
        parts = {"generator": generated.detach(), "detector": detected.detach(), "found": found}
        return {"loss": generated + self.weight * detected, "parts": parts}


def encode(encoder: PreTrainedModel, input_ids: Tensor, document_start: int | None) -> Tensor:
    """Return the states [batch, length, hidden] of blocks without padding.

    Args:
        encoder: a transformer may be given `document_start`; a recurrent encoder has no attention to cut.
        input_ids: [batch, length].
        document_start: id of the piece that begins a document; each position then sees its own document only.
    """
    if document_start is None:
        return encoder(input_ids=input_ids).last_hidden_state
    document = (input_ids == document_start).cumsum(dim=1)
    mask = (document[:, :, None] == document[:, None, :])[:, None]
    return encoder(input_ids=input_ids, attention_mask=mask).last_hidden_state
