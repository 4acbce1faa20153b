"""A mixin for the transformers Trainer: checkpoints that are complete or absent, and hold no pickle."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from . import checkpoints

if TYPE_CHECKING:
    from transformers import Trainer as _Base
else:
    _Base = object


class AtomicCheckpoints(_Base):
    """Put before `Trainer` among the bases.

    Everything is written into a temporary folder, which is renamed when it is complete; see `checkpoints`.
    """

    _saving: Path | None = None

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving or self.args.output_dir)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        run = Path(self.args.output_dir or ".")
        name = f"{checkpoints.PREFIX}{self.state.global_step}"
        self._saving = run / "saving.tmp"
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        # With several processes the first one writes, and the folder is its own.
        first = self.args.should_save
        if first:
            shutil.rmtree(self._saving, ignore_errors=True)
        try:
            with checkpoints.writing(run):
                super()._save_checkpoint(model, trial)
                best = self.state.best_global_step == self.state.global_step
                if best:
                    # Trainer has just noted the temporary folder as the best one.
                    self.state.best_model_checkpoint = str(run / name)
                if first:
                    if best:
                        self.state.save_to_json(str(self._saving / name / "trainer_state.json"))
                    checkpoints.publish(self._saving / name, run / name)
        finally:
            if first:
                shutil.rmtree(self._saving, ignore_errors=True)
            self._saving, self.args.save_total_limit = None, limit
        # The others may be about to load what has just got its name.
        self.accelerator.wait_for_everyone()
        if first:
            with checkpoints.writing(run):
                self._rotate(run)

    def _init_training_state(self, *args: Any, **kwargs: Any) -> Any:
        trained = super()._init_training_state(*args, **kwargs)
        # The stored path is that of the first start; the folder may have been moved, or be named otherwise now.
        best = Path(self.args.output_dir or ".") / f"{checkpoints.PREFIX}{self.state.best_global_step}"
        if best.is_dir():
            self.state.best_model_checkpoint = str(best)
        return trained

    def _rotate(self, run: Path) -> None:
        best = Path(self.state.best_model_checkpoint or "").name
        steps = sorted(
            (
                p
                for p in run.glob(checkpoints.PREFIX + "*")
                if p.name.removeprefix(checkpoints.PREFIX).isdigit()
            ),
            key=lambda p: int(p.name.removeprefix(checkpoints.PREFIX)),
        )
        for path in steps[: -(self.args.save_total_limit or len(steps))]:
            if path.name != best:
                shutil.rmtree(path)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # Trainer's own version also pickles its arguments; the resolved configuration is saved by `finetune`.
        if not self.args.should_save:
            return
        folder = output_dir or self.args.output_dir or "."
        os.makedirs(folder, exist_ok=True)
        # Keeping the wrapper: taking it off would take it off for good, and the run would go on in float32.
        self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=True).save_pretrained(
            folder, state_dict=state_dict
        )
        if self.processing_class is not None:
            self.processing_class.save_pretrained(folder)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        others = self._other_random_states()
        if self.args.should_save and self.optimizer is not None:
            checkpoints.save_state(Path(output_dir), self.optimizer, self.lr_scheduler, others=others)

    def _other_random_states(self) -> list[dict[str, Tensor]]:
        """Return the random states of all processes but the first; every process has to call it."""
        if self.args.world_size == 1:
            return []
        states = checkpoints.random_states()
        gathered = {n: self.accelerator.gather(s[None].to(self.args.device)).cpu() for n, s in states.items()}
        return [{name: rows[n] for name, rows in gathered.items()} for n in range(1, self.args.world_size)]

    def _save_rng_state(self, output_dir: str) -> None:
        # Written with the optimizer state, in one file format.
        return

    def _save_scaler(self, output_dir: str) -> None:
        # Training runs in float32 or bfloat16, neither of which scales the loss.
        return

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None and self.optimizer is not None:
            checkpoints.load_state(Path(checkpoint), self.optimizer, self.lr_scheduler)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_random(Path(checkpoint), process=self.args.process_index)

    def _load_scaler(self, checkpoint: str | None) -> None:
        return
