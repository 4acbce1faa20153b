"""A small recurrent encoder for CPUs: piece and character embeddings under bidirectional LSTMs.

Ordinary transformers classes, registered with the Auto classes, so that it can stand wherever a BERT stands.
The architecture follows Ma and Hovy (2016, "End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF",
section 2): character convolution beside pretrained embeddings, then recurrent layers. With static vectors
and little text it learns far more per minute than a transformer of the same size.
"""

from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutput, MaskedLMOutput, TokenClassifierOutput

# Characters of a piece that the convolution sees; a piece of 32k pieces is hardly ever longer.
PIECE_CHARS = 12


@strict
class IsnadEncoderConfig(PreTrainedConfig):
    """Configuration of `IsnadEncoderModel`.

    Attributes:
        vocab_size: number of word pieces.
        embedding_size: width of the piece vectors.
        char_vocab_size: number of distinct characters, 0 for none.
        char_embedding_size, char_filters: width of character vectors and number of convolution filters.
        recurrent_size: width of one direction of one layer.
        hidden_size: width of the output, twice `recurrent_size`.
        num_hidden_layers: number of bidirectional layers.
        dropout: probability, between layers and on the output.
        embedding_dropout: probability, on the embeddings.
    """

    model_type = "isnad-encoder"

    vocab_size: int = 32_000
    embedding_size: int = 256
    char_vocab_size: int = 512
    char_embedding_size: int = 32
    char_filters: int = 64
    recurrent_size: int = 256
    hidden_size: int = 512
    num_hidden_layers: int = 2
    dropout: float = 0.3
    embedding_dropout: float = 0.3
    max_position_embeddings: int = 100_000
    pad_token_id: int | None = 0
    initializer_range: float = 0.02
    tie_word_embeddings: bool = False
    classifier_dropout: float | None = None


@dataclass(frozen=True)
class CharTable:
    """Characters of every piece.

    Attributes:
        alphabet: the characters; ids start at 1, 0 pads.
        ids: [vocabulary, PIECE_CHARS], int16.
    """

    alphabet: list[str]
    ids: Tensor


def char_table(pieces: list[str], *, limit: int = 511) -> CharTable:
    """Return the characters of the pieces of a WordPiece vocabulary, `##` left out and special tokens blank."""
    counts: dict[str, int] = {}
    spelled = [
        "" if p.startswith("[") and p.endswith("]") and len(p) > 2 else p.removeprefix("##") for p in pieces
    ]
    for piece in spelled:
        for char in piece:
            counts[char] = counts.get(char, 0) + 1
    alphabet = sorted(sorted(counts, key=lambda c: (-counts[c], c))[:limit])
    index = {c: i for i, c in enumerate(alphabet, 1)}
    ids = torch.zeros(len(pieces), PIECE_CHARS, dtype=torch.int16)
    for row, piece in enumerate(spelled):
        for column, char in enumerate(piece[:PIECE_CHARS]):
            ids[row, column] = index.get(char, 0)
    return CharTable(alphabet, ids)


class IsnadEncoderPreTrainedModel(PreTrainedModel):
    """Weight initialisation and loading shared by the encoder and its task heads."""

    config_class = IsnadEncoderConfig
    base_model_prefix = "encoder"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # torch's own initialisation suits LSTM, Linear and Conv1d; only embeddings need a smaller scale.
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.LSTM | nn.Linear | nn.Conv1d | nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, CharacterConvolution):
            nn.init.zeros_(module.piece_chars)


class CharacterConvolution(nn.Module):
    """Max-pooled convolution over the characters of a piece (Ma and Hovy 2016, section 2.1)."""

    def __init__(self, config: IsnadEncoderConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.char_vocab_size, config.char_embedding_size, padding_idx=0)
        self.convolution = nn.Conv1d(
            config.char_embedding_size, config.char_filters, kernel_size=3, padding=1
        )
        # A buffer, not a parameter: which characters a piece has is a fact of the vocabulary.
        self.register_buffer("piece_chars", torch.zeros(config.vocab_size, PIECE_CHARS, dtype=torch.int16))
        self.piece_chars: Tensor

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return [batch, length, filters] for piece ids [batch, length]; equal pieces are computed once."""
        unique, inverse = torch.unique(input_ids, return_inverse=True)
        chars = self.embedding(self.piece_chars[unique].long())
        features = self.convolution(chars.transpose(1, 2)).amax(dim=2)
        return features[inverse]


class BidirectionalLayer(nn.Module):
    """One LSTM left to right and one right to left, with padding on the right.

    The backward direction reads each row reversed within its own length, so padding never reaches a real
    position and the result does not depend on the batch that a row stands in.
    """

    def __init__(self, input_size: int, recurrent_size: int) -> None:
        super().__init__()
        self.forward_lstm = nn.LSTM(input_size, recurrent_size, batch_first=True)
        self.backward_lstm = nn.LSTM(input_size, recurrent_size, batch_first=True)

    def forward(self, states: Tensor, reverse: Tensor) -> Tensor:
        """Map [batch, length, input] to [batch, length, 2 * recurrent]; `reverse` [batch, length] are indices."""
        ahead, _ = self.forward_lstm(states)
        rows = torch.arange(states.shape[0], device=states.device)[:, None]
        back, _ = self.backward_lstm(states[rows, reverse])
        return torch.cat([ahead, back[rows, reverse]], dim=-1)


def reversed_positions(attention_mask: Tensor) -> Tensor:
    """Return [batch, length] indices that reverse the real positions of each row and keep the padding."""
    lengths = attention_mask.sum(dim=1, keepdim=True)
    positions = torch.arange(attention_mask.shape[1], device=attention_mask.device)[None, :]
    return torch.where(positions < lengths, lengths - 1 - positions, positions)


class IsnadEncoderModel(IsnadEncoderPreTrainedModel):
    """Piece vectors and character features under bidirectional LSTM layers with residual connections."""

    def __init__(self, config: IsnadEncoderConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(
            config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id
        )
        self.characters = CharacterConvolution(config) if config.char_vocab_size else None
        width = config.embedding_size + (config.char_filters if config.char_vocab_size else 0)
        self.layers = nn.ModuleList()
        for _ in range(config.num_hidden_layers):
            self.layers.append(BidirectionalLayer(width, config.recurrent_size))
            width = 2 * config.recurrent_size
        self.norm = nn.LayerNorm(width)
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the piece embeddings."""
        return self.embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the piece embeddings."""
        self.embeddings = value  # type: ignore[assignment]

    def set_characters(self, table: CharTable) -> None:
        """Tell the convolution which characters each piece has."""
        if self.characters is not None:
            self.characters.piece_chars.copy_(table.ids)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any) -> BaseModelOutput:
        """Encode pieces.

        Args:
            input_ids: [batch, length], padded on the right.
            attention_mask: [batch, length], 1 for real pieces; all real if absent.

        Returns:
            `last_hidden_state` [batch, length, hidden_size].
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        states = self.embeddings(input_ids)
        if self.characters is not None:
            states = torch.cat([states, self.characters(input_ids)], dim=-1)
        states = self.embedding_dropout(states)
        reverse = reversed_positions(attention_mask.long())
        for number, layer in enumerate(self.layers):
            output = layer(states, reverse)
            states = output if number == 0 else states + output
            states = self.dropout(states)
        return BaseModelOutput(last_hidden_state=self.norm(states))


class IsnadEncoderForTokenClassification(IsnadEncoderPreTrainedModel):
    """The encoder under a linear layer: the flat baseline."""

    def __init__(self, config: IsnadEncoderConfig) -> None:
        super().__init__(config)
        self.num_labels = int(config.num_labels or 2)
        self.encoder = IsnadEncoderModel(config)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None, **_: Any
    ) -> TokenClassifierOutput:
        """Return logits [batch, length, labels]; `labels` [batch, length] uses -100 for what is not scored."""
        logits = self.classifier(self.encoder(input_ids, attention_mask).last_hidden_state)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(
                logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100
            )
        return TokenClassifierOutput(loss=loss, logits=logits)


class IsnadEncoderForMaskedLM(IsnadEncoderPreTrainedModel):
    """The encoder under a projection to the (shared) piece vectors; the softmax runs on masked positions only."""

    def __init__(self, config: IsnadEncoderConfig) -> None:
        super().__init__(config)
        self.encoder = IsnadEncoderModel(config)
        self.projection = nn.Linear(config.hidden_size, config.embedding_size)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None, **_: Any
    ) -> MaskedLMOutput:
        """Return the loss over positions whose label is not -100, or logits [batch, length, vocabulary]."""
        states = self.encoder(input_ids, attention_mask).last_hidden_state
        table = self.encoder.embeddings.weight
        if labels is None:
            return MaskedLMOutput(logits=nn.functional.linear(self.projection(states), table, self.bias))
        chosen = labels != -100
        logits = nn.functional.linear(self.projection(states[chosen]), table, self.bias)
        loss = nn.functional.cross_entropy(logits.float(), labels[chosen])
        return MaskedLMOutput(loss=loss, logits=logits)


AutoConfig.register("isnad-encoder", IsnadEncoderConfig, exist_ok=True)
AutoModel.register(IsnadEncoderConfig, IsnadEncoderModel, exist_ok=True)
AutoModelForTokenClassification.register(
    IsnadEncoderConfig, IsnadEncoderForTokenClassification, exist_ok=True
)
AutoModelForMaskedLM.register(IsnadEncoderConfig, IsnadEncoderForMaskedLM, exist_ok=True)
