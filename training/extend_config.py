"""Settings of trainings that extend a model, and of how much of a model is trained."""

from dataclasses import dataclass

from ..model.errors import ConfigError

METHODS = ("full", "head", "lora")
ROWS = ("random", "description", "examples")


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adaptation of the encoder (Hu et al. 2022, "LoRA", section 4.1); see `training.methods`.

    Attributes:
        rank: of the two factors that are learned beside every weight matrix.
        alpha: their product is scaled by alpha / rank.
        dropout: of the input of the factors.
    """

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(
                f"rank {self.rank}, alpha {self.alpha}, dropout {self.dropout}; accepted: rank and alpha from 1 "
                "on, a dropout from 0 to below 1"
            )


@dataclass(frozen=True)
class ExtendConfig:
    """How a model learns new labels and keeps the old ones; see `training.extend`.

    Attributes:
        annotates: labels that `data.train` annotates wherever they occur, so that a span without them is none of
            them; of all other labels it is silent. Empty: found out from the data.
        nested: whether `data.train` marks names inside names; if not, what is inside a marked span is unknown.
        rehearse: sources in the base model's labels that old labels are rehearsed on. `seeds:` sources annotate
            the labels of the schema `wojood`, others those that occur in them.
        rehearsal: share of the paragraphs shown that are rehearsal, from 0 to below 1.
        measure: sources, as in `rehearse`, that the old labels are measured on before and after, and that their
            thresholds are fitted on.
        dev_share: share of the documents of `data.train` that is kept for development if `data.dev` is empty.
        repeat: how often an epoch shows each new paragraph.
        rows: what new rows of the heads begin with: `random`; `description`: the row of the old label whose
            description is nearest; `examples`: the mean of the marked words (Qi et al. 2018, "Low-Shot Learning
            with Imprinted Weights", section 3.2).
    """

    annotates: tuple[str, ...] = ()
    nested: bool = True
    rehearse: tuple[str, ...] = ("seeds:authored/train",)
    rehearsal: float = 0.5
    measure: tuple[str, ...] = ("seeds:authored/dev",)
    dev_share: float = 0.2
    repeat: float = 1.0
    rows: str = "random"

    def __post_init__(self) -> None:
        if self.rows not in ROWS:
            raise ConfigError(f"rows is {self.rows!r}; accepted: {', '.join(ROWS)}")
        for name, low, high in (("rehearsal", 0.0, 0.99), ("dev_share", 0.01, 0.9), ("repeat", 0.01, 1000.0)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} is {getattr(self, name)}; accepted: a number from {low} to {high}")
