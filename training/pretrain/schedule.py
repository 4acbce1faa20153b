"""How far a training is: its clock, its learning rate and when it saves and stops."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...model.errors import ModelError

PROGRESS = "progress.json"


def learning_rate_factor(share: float, *, warmup: float, decay: float) -> float:
    """Return the factor of the peak learning rate when `share` of the budget is used.

    Linear warmup, a constant plateau and a decay of the form 1 - sqrt (Hägele et al. 2024, "Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations", section 3.2): unlike a cosine it need not know the
    length of the training before its last part, so a run can be given more time.

    Args:
        share: used part of the budget, from 0 to 1.
        warmup, decay: shares of the budget in which the rate rises and falls.
    """
    if share < warmup:
        # Not 0 in the first step, whose time would be lost.
        return max(share / warmup, 0.01)
    left = 1.0 - share
    if left >= decay or decay == 0:
        return 1.0
    return max(1.0 - (1.0 - left / decay) ** 0.5, 0.0)


class Budget:
    """Steps and seconds of a training, summed over its resumes.

    Args:
        steps: that the training may take, or 0.
        seconds: that the training may take, or 0.
        now: the clock, in seconds.
    """

    def __init__(
        self, *, steps: int = 0, seconds: float = 0.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps, self.seconds, self._now = steps, seconds, now
        self._before = self._begun = 0.0
        self._running = False

    def start(self) -> None:
        """Let the clock run: what came before (loading, say) is no training."""
        self._begun, self._running = self._now(), True

    def stop(self) -> None:
        """Stop the clock."""
        self._before, self._running = self.used, False

    @property
    def used(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self._before + (self._now() - self._begun if self._running else 0.0)

    def share(self, step: int) -> float:
        """Return the used part of the budget, from 0 to 1, when `step` steps have been taken."""
        if self.seconds:
            return min(self.used / self.seconds, 1.0)
        return min(step / self.steps, 1.0) if self.steps else 0.0

    def left(self, step: int, speed: float) -> float:
        """Return the seconds that remain after `step` steps, at a speed in steps a second."""
        if self.seconds:
            return max(self.seconds - self.used, 0.0)
        return max(self.steps - step, 0) / speed if speed else 0.0

    def save(self, folder: Path) -> None:
        """Write the seconds used into a checkpoint."""
        (folder / PROGRESS).write_text(json.dumps({"seconds": self.used}), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Go on from the seconds that a checkpoint had used."""
        try:
            self._before = float(json.loads((folder / PROGRESS).read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder}: no {PROGRESS} of a pretraining checkpoint ({error})") from error


class Pace(TrainerCallback):
    """Starts the clock, saves by time or steps, and stops when the budget or the sitting is used up.

    Args:
        budget: of the whole training.
        save_seconds, save_steps: between checkpoints; 0: not by this measure.
        sitting_seconds: after which this sitting ends, with a checkpoint; 0: no such limit.
    """

    def __init__(
        self, budget: Budget, *, save_seconds: float, save_steps: int, sitting_seconds: float = 0.0
    ) -> None:
        self._budget, self._save_seconds, self._save_steps = budget, save_seconds, save_steps
        self._sitting_seconds = sitting_seconds
        self._first = self._saved = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock."""
        self._budget.start()
        self._first = self._saved = self._budget.used

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Decide what follows a step."""
        used = self._budget.used
        due = self._save_seconds and used - self._saved >= self._save_seconds
        due = due or (self._save_steps and state.global_step % self._save_steps == 0)
        over = self._budget.share(state.global_step) >= 1
        over = over or bool(self._sitting_seconds and used - self._first >= self._sitting_seconds)
        if over:
            control.should_training_stop = control.should_log = True
        if due or over:
            control.should_save, self._saved = True, used

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Stop the clock."""
        self._budget.stop()
