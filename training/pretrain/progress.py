"""The progress bar of a pretraining: how much of the budget is used, how fast, and what is left."""

import sys
from collections import deque
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .schedule import Budget

# Seconds over which the speed is averaged, about: short enough to show a neighbour on the machine.
_WINDOW = 30.0


class ProgressBar(TrainerCallback):
    """Shows the share of the budget, steps, tokens a second, loss and time left.

    Args:
        budget: of the training.
        tokens: of a step.
    """

    def __init__(self, budget: Budget, tokens: int) -> None:
        self._budget, self._tokens = budget, tokens
        self._bar: Any = None
        self._marks: deque[tuple[int, float]] = deque()
        self._speed = 0.0
        self._loss = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Open the bar where an earlier sitting left it."""
        self._marks.append((state.global_step, self._budget.used))
        self._bar = tqdm(
            total=1000,
            initial=round(1000 * self._budget.share(state.global_step)),
            bar_format="{percentage:3.0f}%|{bar:24}| {desc}",
            # A line of a log file for every tenth of a second would bury what else is in it.
            mininterval=0.5 if sys.stderr.isatty() else 30.0,
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the bar."""
        step, used = state.global_step, self._budget.used
        self._marks.append((step, used))
        while len(self._marks) > 2 and used - self._marks[1][1] > _WINDOW:
            self._marks.popleft()
        first, begun = self._marks[0]
        if used > begun:
            self._speed = (step - first) / (used - begun)
        self._bar.set_description_str(self.describe(step), refresh=False)
        self._bar.update(round(1000 * self._budget.share(step)) - self._bar.n)

    def describe(self, step: int) -> str:
        """Return the text beside the bar after `step` steps."""
        left = round(self._budget.left(step, self._speed))
        clock = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
        return f"step {step:,} · {self._speed * self._tokens:,.0f} tokens/s{self._loss} · {clock} left"

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Remember the loss."""
        if logs and "loss" in logs:
            self._loss = f" · loss {float(logs['loss']):.3f}"

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()
