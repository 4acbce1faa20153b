"""IsnadModel: one encoder pass gives spans, proclitics, relations and mention vectors."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ModelOutput

from .configuration import IsnadConfig
from .coreference import FEATURES
from .heads import CoreferenceHead, MentionHead, ProcliticHead, RelationHead, SpanHead, WordHead
from .losses import proclitic_loss, relation_loss, span_loss
from .schema import LabelSchema

# In training wrong candidates are negatives for the relation head: some are needed, thousands are not.
_TRAINING_CANDIDATES = 16
_TRAINING_PAIRS = 2048


@dataclass
class IsnadOutput(ModelOutput):
    """What one forward pass gives.

    Attributes:
        loss: sum of the parts, if labels were given.
        span_logits: [batch, words, words, types], first word by last word.
        proclitic_logits: [batch, words, MAX_PROCLITICS + 1].
        words: [batch, words, word_size], the word representations.
        parts: the loss by head, detached.
    """

    loss: Tensor | None = None
    span_logits: Tensor | None = None
    proclitic_logits: Tensor | None = None
    words: Tensor | None = None
    parts: dict[str, Tensor] | None = None


@dataclass(frozen=True)
class Candidates:
    """Spans that enter relation scoring.

    Attributes:
        spans: [spans, 3]: window, first word, last word; sorted by window.
        logits: [spans, types].
    """

    spans: Tensor
    logits: Tensor


class IsnadModel(PreTrainedModel):
    """Joint model of nested entities, proclitics, relations and coreference over any BERT-like encoder."""

    config: IsnadConfig
    config_class = IsnadConfig
    base_model_prefix = "isnad"
    supports_gradient_checkpointing = False

    def __init__(self, config: IsnadConfig) -> None:
        super().__init__(config)
        schema = config.schema()
        encoder_config = config.encoder_config()
        self.encoder = AutoModel.from_config(encoder_config)
        self.word_head = WordHead(config, encoder_config.hidden_size)
        self.span_head = SpanHead(config, len(schema.entities))
        self.proclitic_head = ProcliticHead(config)
        self.mention_head = MentionHead(config, len(schema.entities))
        self.relation_head = RelationHead(config, max(1, len(schema.relations)))
        self.coreference_head = CoreferenceHead(config, len(FEATURES))
        self.register_buffer("signature", _signature(schema), persistent=False)
        self.signature: Tensor
        self.post_init()

    @property
    def schema(self) -> LabelSchema:
        """The label schema that the model was built for."""
        return self.config.schema()

    @classmethod
    def from_encoder(
        cls,
        encoder: str | PreTrainedModel,
        schema: LabelSchema,
        *,
        local_files_only: bool = True,
        **sizes: Any,
    ) -> "IsnadModel":
        """Put fresh heads on a pretrained encoder.

        Args:
            encoder: a folder, a hub name (then pass `local_files_only=False`), or a loaded encoder.
            schema: the labels to learn.
            local_files_only: whether the network stays untouched.
            **sizes: other fields of `IsnadConfig`.
        """
        if isinstance(encoder, str):
            loaded: PreTrainedModel = AutoModel.from_pretrained(
                encoder,
                local_files_only=local_files_only,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
            )
        else:
            loaded = encoder
        config = IsnadConfig(encoder=_plain(loaded.config), labels=schema.to_dict(), **sizes)
        model = cls(config)
        model.encoder.load_state_dict(loaded.state_dict())
        return model

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, SpanHead):
            # A span is nothing unless learned otherwise: start every type near a probability of 2%.
            nn.init.normal_(module.biaffine, std=0.01)
            nn.init.constant_(module.width.weight, -4.0)
            nn.init.zeros_(module.parts.weight)
            nn.init.zeros_(module.parts.bias)
        elif isinstance(module, IsnadModel):
            # from_pretrained builds the model without storage: what is not saved has to be filled in here.
            module.signature.copy_(_signature(module.schema))
        elif isinstance(module, RelationHead):
            nn.init.constant_(module.output.bias, -4.0)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.1)
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.Linear | nn.LayerNorm):
            module.reset_parameters()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_first: Tensor,
        word_last: Tensor,
        word_letters: Tensor,
        word_mask: Tensor,
        gold: dict[str, Tensor] | None = None,
    ) -> IsnadOutput:
        """Score a batch of windows.

        Args:
            input_ids, attention_mask: [batch, pieces], padded on the right.
            word_first, word_last: [batch, words], positions of a word's first and last piece.
            word_letters: [batch, words, LETTER_SLOTS].
            word_mask: [batch, words], True for real words.
            gold: targets made by the training collator; see `training.collate`.
        """
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        words = self.word_head(states, word_first, word_last, word_letters)
        span_logits = self.span_head(words, word_mask).float()
        proclitic_logits = self.proclitic_head(words).float()
        output = IsnadOutput(span_logits=span_logits, proclitic_logits=proclitic_logits, words=words)
        if gold is not None:
            parts = {
                "span": span_loss(span_logits, gold, smoothing=self.config.boundary_smoothing),
                "proclitic": proclitic_loss(proclitic_logits, gold["proclitics"]),
                "relation": self._relation_loss(output, word_mask, gold),
            }
            output.loss = torch.stack(list(parts.values())).sum()
            output.parts = {name: value.detach() for name, value in parts.items()}
        return output

    def candidates(self, span_logits: Tensor, limit: int | None = None) -> Candidates:
        """Return the spans worth a look: any type above `prune_threshold`, at most `limit` a window.

        Args:
            span_logits: [batch, words, words, types].
            limit: `max_candidates` if absent.
        """
        best = span_logits.amax(dim=-1)
        floor = torch.logit(torch.tensor(self.config.prune_threshold))
        flat = best.flatten(1)
        limit = min(limit or self.config.max_candidates, flat.shape[1])
        top = torch.topk(flat, limit, dim=1)
        # By index, not by comparison with the lowest of the top: ties would let any number through.
        keep = torch.zeros_like(flat, dtype=torch.bool).scatter_(1, top.indices, top.values > floor)
        spans = keep.view_as(best).nonzero()
        return Candidates(spans, span_logits[spans[:, 0], spans[:, 1], spans[:, 2]])

    def mentions(self, words: Tensor, spans: Tensor, types: Tensor) -> Tensor:
        """Return [spans, pair_size] representations of spans [spans, 3] with type probabilities [spans, types]."""
        return self.mention_head(words, spans[:, 0], spans[:, 1], spans[:, 2], types)

    def relate(
        self, words: Tensor, word_mask: Tensor, mentions: Tensor, spans: Tensor, pairs: Tensor
    ) -> Tensor:
        """Return float logits [pairs, relations]; computed in chunks so that memory stays bounded."""
        if not len(pairs):
            return words.new_zeros(0, self.relation_head.output.out_features).float()
        chunk = max(64, 2**22 // words.shape[1])
        logits = [
            self.relation_head(words, word_mask, mentions, spans, part) for part in torch.split(pairs, chunk)
        ]
        return torch.cat(logits).float()

    def possible(self, head_types: Tensor, tail_types: Tensor) -> Tensor:
        """Return [pairs, relations], True where some type pair at hand satisfies the signature.

        Args:
            head_types, tail_types: [pairs, types] booleans.
        """
        heads = torch.einsum("ph,rht->prt", head_types.float(), self.signature.float())
        return torch.einsum("prt,pt->pr", heads, tail_types.float()) > 0

    def _relation_loss(self, output: IsnadOutput, word_mask: Tensor, gold: dict[str, Tensor]) -> Tensor:
        assert output.words is not None and output.span_logits is not None
        spans, types, index = self._training_spans(output.span_logits.detach(), gold)
        pairs = same_window_pairs(spans)
        taught = gold["relation_annotated"].any(dim=1)
        pairs = _thinned(pairs[taught[spans[pairs[:, 0], 0]]], index, len(spans))
        if not len(pairs):
            return output.words.sum() * 0.0
        mentions = self.mentions(output.words, spans, types)
        logits = self.relate(output.words, word_mask, mentions, spans, pairs)
        present = types > 0.5 * self.config.prune_threshold
        valid = self.possible(present[pairs[:, 0]], present[pairs[:, 1]])
        return relation_loss(logits, valid, pairs, index, spans, gold, words=max(1, int(word_mask.sum())))

    def _training_spans(self, logits: Tensor, gold: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return gold and predicted spans together, their types, and the row of each gold span.

        Half of the gold spans show their gold types and half the predicted ones, so that the relation head
        neither relies on perfect types nor starts from noise.
        """
        count = logits.shape[1]
        found = self.candidates(logits, limit=_TRAINING_CANDIDATES).spans
        both = torch.cat([gold["spans"], found])
        key = (both[:, 0] * count + both[:, 1]) * count + both[:, 2]
        unique, inverse = torch.unique(key, return_inverse=True)
        rest = unique % (count * count)
        spans = torch.stack([unique // (count * count), rest // count, rest % count], dim=1)
        types = torch.sigmoid(logits[spans[:, 0], spans[:, 1], spans[:, 2]])
        index = inverse[: len(gold["spans"])]
        shown = (
            torch.rand(len(index), 1, device=types.device) < 0.5
            if self.training
            else torch.zeros(1, 1).bool()
        )
        types[index] = torch.where(shown.to(types.device), gold["types"].to(types.dtype), types[index])
        return spans, types, index


def _signature(schema: LabelSchema) -> Tensor:
    """Return [relations, head types, tail types], True where the schema admits the pair."""
    return torch.tensor(schema.signature_mask() or [[[False]]], dtype=torch.bool)


def same_window_pairs(spans: Tensor) -> Tensor:
    """Return [pairs, 2], every ordered pair of different spans of one window."""
    window = spans[:, 0]
    same = window[:, None] == window[None, :]
    same.fill_diagonal_(False)
    return same.nonzero()


def _thinned(pairs: Tensor, gold: Tensor, spans: int) -> Tensor:
    """Return the pairs of gold spans and a random share of the others, so that a step's cost is bounded."""
    is_gold = torch.zeros(spans, dtype=torch.bool, device=pairs.device)
    is_gold[gold] = True
    sure = is_gold[pairs].all(dim=1)
    share = _TRAINING_PAIRS / max(1, int((~sure).sum()))
    return pairs[sure | (torch.rand(len(pairs), device=pairs.device) < share)]


def _plain(config: PreTrainedConfig) -> dict[str, Any]:
    values = config.to_dict()
    for key in ("auto_map", "_name_or_path", "architectures", "transformers_version"):
        values.pop(key, None)
    return values


AutoModel.register(IsnadConfig, IsnadModel, exist_ok=True)
