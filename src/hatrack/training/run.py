"""One training run: prepared data and a base in, the folder of a finished adapter out. Killed runs go on where they were."""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from rich.console import Console
from safetensors.torch import save_file
from transformers import set_seed

from hatrack.core.atomic import STAGING, staged_folder, storage_errors, write_text
from hatrack.core.config import AdapterConfig
from hatrack.core.digest import canonical_json
from hatrack.core.errors import TrainingError
from hatrack.data.prepare import Prepared
from hatrack.models.adapters.folder import HEAD, AdapterCard
from hatrack.models.adapters.probe import PROBE_TOKENS, write_probe
from hatrack.models.encoder import CosineHead
from hatrack.models.host import text_template_hash
from hatrack.models.loading import BaseModelFiles, load_module
from hatrack.models.render import ChatRenderer
from hatrack.models.sources.local import Local
from hatrack.training.curves import CURVES, draw_curves
from hatrack.training.estimate import estimate
from hatrack.training.fast.choose import accelerate
from hatrack.training.fast.dropout import turn_off_dropout
from hatrack.training.figures import figures_of
from hatrack.training.fit import check_fit
from hatrack.training.identity import behaviour, run_key
from hatrack.training.loop import run_loop
from hatrack.training.memory import forget_peak, settled_heap
from hatrack.training.methods.base import METHODS, Method, Schedule
from hatrack.training.objectives.base import OBJECTIVES, Item, Objective
from hatrack.training.objectives.classify import EncoderTrainee
from hatrack.training.parent import Parent, check_parent, start_from
from hatrack.training.progress import EventLog, LiveBar
from hatrack.training.proof import check_reproduced, outputs, served_outputs
from hatrack.training.report import REPORT, write_report
from hatrack.training.stopping import StopAfterStep
from hatrack.training.trackers import tracking

__all__ = ["TrainedAdapter", "train_adapter"]

ADAPTER = "adapter"
_STATISTICS = "training.json"
_LARGE = 2**28  # bytes of a base from which it is worth a second to free it at once


@dataclass(frozen=True)
class TrainedAdapter:
    """A finished adapter on disk, not yet registered.

    Attributes:
        folder: the adapter's files.
        behaviour: the config that is part of its digest.
        statistics: seconds, steps, tokens per second, peak memory in MB, losses.
    """

    folder: Path
    run: Path
    behaviour: dict[str, Any]
    statistics: dict[str, float]
    libraries: dict[str, str]
    template_hash: str


@dataclass(frozen=True)
class _Plan:
    """A run with all its inputs settled."""

    name: str
    config: AdapterConfig
    files: BaseModelFiles
    prepared: Prepared
    run: Path
    method: Method
    objective: Objective
    options: Any
    learning_rate: float
    template_hash: str
    parent: Parent | None


def train_adapter(
    name: str,
    config: AdapterConfig,
    files: BaseModelFiles,
    prepared: Prepared,
    runs: Path,
    console: Console,
    parent: Parent | None = None,
) -> TrainedAdapter:
    """Train one adapter, or finish or find the run that these inputs have already started.

    Args:
        parent: the version that ``config.parent`` names; training starts from its weights.

    Raises:
        TrainingError: the task does not fit the base; the options match nothing; the loss is not finite; another
            process is at this very run; the parent was trained in another way.
        AdapterMismatch: the parent belongs to another base or template.
        DataError: rows that would train nothing, or something else than asked.
        StorageError: the run's folder cannot be written.
    """
    method, objective = METHODS.get(config.method)(), OBJECTIVES.get(config.task)()
    check_fit(config, files, method, objective)
    options = method.options.model_validate(config.options)
    rate = config.train.learning_rate or method.learning_rate(files.kind) * objective.rate_scale
    acts = behaviour(config, prepared.labels, rate, options.model_dump(mode="json"), parent)
    template = ChatRenderer(files.tokenizer, files.stop_ids).template_hash if files.kind == "causal" else text_template_hash()
    run = runs / run_key(name, files.fingerprint, template, prepared.record.digest, acts)
    if parent is not None:
        check_parent(parent, config, acts["options"], files, template)
    plan = _Plan(name, config, files, prepared, run, method, objective, options, rate, template, parent)
    with storage_errors(run):
        run.mkdir(parents=True, exist_ok=True)
        with _only_one(run):
            if (run / ADAPTER).is_dir():  # renamed into place when whole
                console.print(f"{name}: this very run is finished already; its adapter is used (remove {run} to train again)")
            else:
                _train(plan, console)
            _tidy(plan)
    statistics = json.loads((run / ADAPTER / _STATISTICS).read_text(encoding="utf-8"))
    return TrainedAdapter(run / ADAPTER, run, acts, statistics["figures"], statistics["libraries"], template)


@dataclass(frozen=True)
class _Outcome:
    """What remains of a training when the model is gone: probe inputs, the base's and the adapter's outputs, the head."""

    inputs: list[tuple[int, ...]]
    before: torch.Tensor
    after: torch.Tensor
    head: CosineHead | None
    figures: dict[str, float]


def _train(plan: _Plan, console: Console) -> None:
    with staged_folder(plan.run / ADAPTER) as folder:
        outcome = _fit(plan, folder, console)
        head = outcome.head
        if sum(path.stat().st_size for path in plan.files.folder.glob("*.safetensors")) > _LARGE:
            gc.collect()  # the trained model hangs in circles; two large bases at once may be one too many
        served = served_outputs(plan.files, folder, outcome.inputs)
        before, after = outcome.before, outcome.after
        if head is not None:
            with torch.no_grad():
                before, after, served = head(before), head(after), head(served)
            save_file({"weight": head.weight.detach().contiguous()}, folder / HEAD)
        if plan.method.traits.trained_on == "full-precision":
            check_reproduced(after, served, plan.config.method)
        _card(plan, head.scale if head else None).write(folder)
        write_probe(folder, outcome.inputs, served, before)
        write_text(folder / _STATISTICS, canonical_json({"figures": outcome.figures, "libraries": _libraries()}))


def _fit(plan: _Plan, folder: Path, console: Console) -> _Outcome:
    """Train, and write the adapter's weights and config into ``folder``."""
    settings, objective, method = plan.config.train, plan.objective, plan.method
    base: Any = load_module(plan.files)
    if settings.base_dropout == "off":
        turn_off_dropout(base)
    train, validation = objective.items(plan.prepared, plan.config, plan.files)
    inputs = [item.ids[:PROBE_TOKENS] for item in train[:2]]
    before = outputs(base, inputs, plan.files.kind)
    set_seed(settings.seed)  # before the first random number of the adapter (F11)
    adapted, coverage = method.apply(base, plan.options, plan.files.kind)
    if plan.parent is not None:
        start_from(adapted, plan.parent)
    console.print(f"{plan.name}: training {coverage}")
    trainee = objective.trainee(base, adapted, plan.prepared, plan.config, train)
    train, validation = trainee.begin(train), trainee.begin(validation)
    pad = int(plan.files.tokenizer.pad_token_id or 0)

    def collate(rows: Sequence[Item]) -> dict[str, torch.Tensor]:
        return objective.collate(rows, pad)

    def optimizer(steps: int) -> torch.optim.Optimizer | None:
        return method.optimizer(adapted, trainee, plan.options, Schedule(plan.learning_rate, settings.weight_decay, steps))

    bar = LiveBar(plan.name, console)
    start = time.monotonic()
    home = plan.run.parent.with_name("cache") / "hidden"
    stop = StopAfterStep()
    try:
        with stop.listening(), tracking(settings.report_to, plan.run), settled_heap():
            rows = [*train, *validation]
            found = accelerate(trainee, base, adapted, rows, collate, settings.fast, home, plan.files.fingerprint, bar.before)
            console.print(f"{plan.name}: fast: {found}")
            expected = estimate(trainee, train, validation, collate, settings)
            console.print(f"{plan.name}: {expected}")
            spent = time.monotonic() - start
            forget_peak()
            watchers = [bar, EventLog(plan.run), stop]
            loop = run_loop(trainee, settings, plan.learning_rate, train, validation, collate, plan.run, watchers, optimizer)
    finally:
        bar.close()
    figures = {
        **figures_of(loop.state, train, time.monotonic() - start),
        "expected_seconds": round(spent + expected.seconds, 2),
        "expected_rss_mb": round(expected.peak / 2**20, 1),
        "trained_parameters": float(coverage.trained),
    }
    trainee.eval()
    method.export(adapted, folder, _base_name(plan.files.spec))
    head = trainee.head if isinstance(trainee, EncoderTrainee) else None
    return _Outcome(inputs, before, outputs(adapted, inputs, plan.files.kind), head, figures)


def _card(plan: _Plan, head_scale: float | None) -> AdapterCard:
    return AdapterCard(
        task=plan.config.task,
        method=plan.config.method,
        labels=plan.prepared.labels,
        system=plan.config.system,
        template_hash=plan.template_hash,
        base_fingerprint=plan.files.fingerprint,
        max_length=plan.config.train.max_length,
        answer_schema=plan.config.answer_schema,
        head_scale=head_scale,
        trained_on=plan.method.traits.trained_on,
    )


@contextlib.contextmanager
def _only_one(run: Path) -> Iterator[None]:
    """Two processes at one run would delete each other's checkpoints.

    Raises:
        TrainingError: another process is at it.
    """
    lock = FileLock(run.with_name(f".{run.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise TrainingError(
            "another process is training this very run", given=str(run), fix="wait for it, or stop it; the run then goes on where it was"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _tidy(plan: _Plan) -> None:
    """What a finished run does not need goes, also what a kill at the very end left behind."""
    title = f"{plan.name}: {plan.config.method} on {_base_name(plan.files.spec)}"
    if not (plan.run / CURVES).is_file():
        draw_curves(plan.run, title)
    if not (plan.run / REPORT).is_file():
        statistics = json.loads((plan.run / ADAPTER / _STATISTICS).read_text(encoding="utf-8"))
        acts = behaviour(plan.config, plan.prepared.labels, plan.learning_rate, plan.options.model_dump(mode="json"))
        write_report(plan.run, title, acts, statistics["figures"])
    for left_over in (*plan.run.glob("checkpoint-*"), *plan.run.glob(f"{STAGING}*")):
        shutil.rmtree(left_over, ignore_errors=True)


def _libraries() -> dict[str, str]:
    versions = {name: version(name) for name in ("torch", "transformers", "peft", "safetensors", "hatrack")}
    return versions | {"python": sys.version.split()[0], "threads": str(torch.get_num_threads())}


def _base_name(spec: str) -> str:
    """A base in a folder goes by the folder's name: its path would make the digest another one on every machine (F11)."""
    return Path(spec).name if Local().claims(spec) else spec
