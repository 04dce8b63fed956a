"""The only training loop: ``transformers.Trainer`` with one subclass.

Resume, early stopping, accumulation, mixed precision and, through ``accelerate launch``, the wrapping of a model for
several processes are the Trainer's own. What is added here:

- the loss of a step is the sum over its labels divided by their number over the whole step (F13);
- rows come in an order that depends on seed and epoch alone (F12), and are divided between processes step by step;
- checkpoints hold only what is trained, and count only when sealed;
- what is validated and kept can be a moving average of the weights;
- a loss that is NaN or infinite stops training and names the rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainerState, TrainingArguments, set_seed
from transformers.trainer import TRAINER_STATE_NAME

from hatrack.core.atomic import storage_errors
from hatrack.core.config_train import TrainSettings
from hatrack.core.errors import NonFiniteLoss
from hatrack.training.average import MovingAverage
from hatrack.training.checkpoint import latest_sealed, remove_older, seal
from hatrack.training.engines import divide_again, save_sharded_optimizer
from hatrack.training.estimate import step_counts
from hatrack.training.objectives.base import IGNORED, Collate, Item, Trainee
from hatrack.training.processes import processes
from hatrack.training.sampler import LengthBuckets, OwnBatches, length_batches
from hatrack.training.share import Share
from hatrack.training.weights import read_trained, write_trained

__all__ = ["Loop", "Rows", "run_loop"]

MakeOptimizer = Callable[[int], torch.optim.Optimizer | None]


class Rows(Dataset[Item]):
    """A list of items as torch wants it."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:
        return self.items[index]


class Loop(Trainer):
    """See the module."""

    loss_is_scaled_for_ga = True  # by compute_loss, over the labels of the whole step

    def __init__(
        self,
        trainee: Trainee,
        args: TrainingArguments,
        parts: tuple[Sequence[Item], Sequence[Item]],
        collate: Collate,
        share: Share,
        optimizer: MakeOptimizer,
        average: MovingAverage,
        callbacks: list[TrainerCallback],
    ) -> None:
        train, validation = (Rows(items) for items in parts)
        super().__init__(trainee, args, train_dataset=train, eval_dataset=validation, callbacks=[average, *callbacks])
        self._average = average
        self._own_optimizer = optimizer
        self._collate = collate
        self._share = share
        self._team = processes()
        self._started = 0.0
        self._tokens = 0.0
        self._first_step = 0
        self._validation_batches = share.deal(length_batches(validation.items, args.per_device_eval_batch_size))

    def get_train_dataloader(self) -> DataLoader[Item]:
        items = self.train_dataset.items  # type: ignore[union-attr]  # always Rows here
        steps = math.ceil(len(items) / self._share.step)
        order = LengthBuckets([len(i.ids) for i in items], self._share.step, self.args.seed, lambda: self.state.global_step // steps)
        # divided by us, not by accelerate, which would fill up the last step of an epoch with rows of the first
        return DataLoader(Rows(items), batch_sampler=OwnBatches(order, self._share), collate_fn=self._batch)

    def _batch(self, rows: Sequence[Item]) -> dict[str, torch.Tensor]:
        """A process without rows in a step goes through it with one that does not count: ``rows`` of the batch is empty then."""
        if rows:
            return self._collate(rows)
        items = self.train_dataset.items  # type: ignore[union-attr]  # always Rows here
        batch = self._collate(items[:1])
        return {**batch, "rows": batch["rows"][:0]}

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = self._own_optimizer(self.state.max_steps)
        return super().create_optimizer(model)

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        if not self._started:
            self._started, self._first_step = time.monotonic(), self.state.global_step
        batches = [batch for _, batch in zip(range(num_batches), epoch_iterator, strict=False)]
        counted = [batch for batch in batches if len(batch["rows"])]
        tokens = sum(int(batch["attention_mask"].sum()) for batch in counted)
        labels = sum(int((batch["labels"] != IGNORED).sum()) for batch in counted)
        tokens_of_all, labels_of_all = self._team.total(tokens, labels)
        self._tokens += tokens_of_all
        # gradients become the mean over processes, so each divides by its part of all labels
        return batches, labels_of_all / self._team.size

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        batch = {key: value for key, value in inputs.items() if key != "rows"}
        counts = len(inputs["rows"]) > 0
        loss = model(**batch) / num_items_in_batch * counts
        if not torch.isfinite(loss):
            raise self._not_finite("training", loss.item(), inputs["rows"].tolist())
        return (loss, {}) if return_outputs else loss

    def _not_finite(self, part: str, loss: float, rows: Sequence[int]) -> NonFiniteLoss:
        step = self.state.global_step + (part == "training")  # a step is counted when it is over
        return NonFiniteLoss(
            f"the {part} loss became {loss} in step {step}",
            given=f"rows {', '.join(str(row) for row in rows[:8])} of the {part} data",
            fix="lower train.learning_rate, or look at these rows; the last checkpoint is kept",
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validation loss: the mean over all labels of the validation rows."""
        model: Any = self.model
        model.eval()
        total, count = 0.0, 0
        with torch.no_grad(), self._average.in_use(model):
            for rows in self._validation_batches:
                batch = self._prepare_inputs(self._batch(rows))
                batch.pop("rows")
                loss = float(model(**batch)) if rows else float(model(**batch)) * 0
                if not math.isfinite(loss):
                    raise self._not_finite("validation", loss, [item.row for item in rows])
                total += loss
                count += int((batch["labels"] != IGNORED).sum()) if rows else 0
        divide_again(model)
        total, labels = self._team.total(total, count)
        metrics = {"eval_loss": total / labels}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        steps = self.state.global_step - self._first_step
        if "loss" in logs and steps:
            seconds = time.monotonic() - self._started  # of this process: a resumed run is no slower
            logs["tokens_per_second"] = round(self._tokens / seconds, 1)
            logs["seconds_left"] = round(seconds / steps * (self.state.max_steps - self.state.global_step), 1)
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0  # the Trainer's estimate assumes one whole causal LM

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        # Only what is trained; the base is on disk already. The Trainer would also pickle its arguments here.
        folder = Path(output_dir or str(self.args.output_dir))
        write_trained(self._module, folder, write=self.args.should_save)
        self._average.write(folder, write=self.args.should_save)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.is_fsdp_enabled:
            save_sharded_optimizer(self, output_dir)
        else:
            super()._save_optimizer_and_scheduler(output_dir)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run = Path(self._get_output_dir(trial=trial))
        with storage_errors(run):
            super()._save_checkpoint(model, trial)
            self._team.wait()  # each process has its generators' state in there
            if self._team.main:
                seal(run / f"checkpoint-{self.state.global_step}")
                remove_older(run, self.state.best_model_checkpoint)
        self._team.wait()

    def take_over(self, checkpoint: Path) -> bool:
        """Whether training was over at ``checkpoint``, by its epochs or early; then the best weights are taken from disk.

        The Trainer itself would forget that it had stopped, and train on.
        """
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        control: Any = state.stateful_callbacks["TrainerControl"]
        if not control["args"]["should_training_stop"]:
            return False
        self.state = state
        self._keep(checkpoint.with_name(f"checkpoint-{state.best_global_step}"))
        return True

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        read_trained(self._module, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint:  # here, because DeepSpeed loads the weights itself
            self._average.resume(self._module, Path(checkpoint))

    def _load_best_model(self) -> None:
        self._keep(Path(str(self.state.best_model_checkpoint)))

    @property
    def _module(self) -> torch.nn.Module:
        return cast(torch.nn.Module, self.model)

    def _keep(self, folder: Path) -> None:
        read_trained(self._module, folder)
        self._average.give(self._module, folder)


class _EvaluateAtEnd(TrainerCallback):
    """The last step is validated too, even when it is not on the grid."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step >= state.max_steps:
            control.should_evaluate = True
            control.should_save = True


def run_loop(
    trainee: Trainee,
    settings: TrainSettings,
    learning_rate: float,
    train: Sequence[Item],
    validation: Sequence[Item],
    collate: Collate,
    run: Path,
    callbacks: Sequence[TrainerCallback],
    optimizer: MakeOptimizer = lambda steps: None,
) -> Loop:
    """Train until the epochs are over or validation loss no longer falls; the best weights are in ``trainee`` afterwards.

    A sealed checkpoint in ``run`` is resumed from. ``optimizer`` makes the method's own optimizer for so many steps, or
    says None for the Trainer's AdamW.

    Raises:
        NonFiniteLoss: the loss is NaN or infinite.
        StorageError: a checkpoint cannot be written.
    """
    team = processes()
    share = Share.of(settings, team)
    epoch, total = step_counts(settings, len(train))
    every = max(1, math.ceil(epoch / settings.evals_per_epoch))
    arguments = TrainingArguments(
        output_dir=str(run),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=share.rows,
        per_device_eval_batch_size=share.rows * 2,
        gradient_accumulation_steps=share.passes,
        learning_rate=learning_rate,
        lr_scheduler_type={"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}[settings.schedule],
        warmup_steps=min(math.ceil(settings.warmup * total), total - 1),  # a run of one step must not be all warmup
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=settings.seed,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        load_best_model_at_end=True,
        restore_callback_states_from_checkpoint=True,  # else early stopping would forget how long it has waited
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, min(10, total // 20)),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=list(settings.report_to),
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # the Trainer would divide each batch between all GPUs of a single process
    loop = Loop(
        trainee,
        arguments,
        (train, validation),
        collate,
        share,
        optimizer,
        MovingAverage(settings.ema),
        [_EvaluateAtEnd(), EarlyStoppingCallback(settings.patience), *callbacks],
    )
    for callback in list(loop.callback_handler.callbacks):
        if type(callback).__name__ in ("PrinterCallback", "ProgressCallback"):
            loop.remove_callback(callback)
    if team.rank:
        set_seed(settings.seed + team.rank)  # else dropout would draw the same masks on every process
    checkpoint = team.from_main(lambda: latest_sealed(run))
    if checkpoint is None or not loop.take_over(checkpoint):
        loop.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return loop
