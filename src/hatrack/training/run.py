"""One training run: prepared data and a base in, the folder of a finished adapter out. Killed runs go on where they were."""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save_file

from hatrack.core.atomic import STAGING, staged_folder, storage_errors, write_text
from hatrack.core.config import AdapterConfig
from hatrack.core.digest import canonical_json
from hatrack.core.run_folder import ADAPTER, REPORT, SETTINGS
from hatrack.data.prepare import Prepared
from hatrack.models.adapters.folder import HEAD, AdapterCard
from hatrack.models.adapters.probe import write_probe
from hatrack.models.host import text_template_hash
from hatrack.models.loading import BaseModelFiles
from hatrack.models.render import ChatRenderer
from hatrack.training.curves import CURVES, draw_curves
from hatrack.training.engines import check_engine
from hatrack.training.fit import Plan, base_name, fit
from hatrack.training.identity import behaviour, run_key
from hatrack.training.matching import check_fit
from hatrack.training.methods.base import METHODS
from hatrack.training.objectives.base import OBJECTIVES
from hatrack.training.only_one import only_one
from hatrack.training.parent import Parent, check_parent
from hatrack.training.processes import processes
from hatrack.training.proof import check_reproduced, served_outputs
from hatrack.training.report import write_report
from hatrack.training.share import check_share

__all__ = ["TrainedAdapter", "train_adapter"]

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
        TrainingError: task, method and base do not fit; the options match nothing; the loss is not finite; the parent was
            trained in another way.
        RunInUse: another process is at this very run.
        AdapterMismatch: the parent belongs to another base or template.
        DataError: rows that would train nothing, or something else than asked.
        StorageError: the run's folder cannot be written.
    """
    method, objective = METHODS.get(config.method)(), OBJECTIVES.get(config.task)()
    check_fit(config, files)
    team = processes()
    check_share(config, team)
    check_engine()
    if team.size == 1 and torch.cuda.device_count() > 1:
        console.print(f"{name}: {torch.cuda.device_count()} GPUs are here, one is used; docs/distributed.md says how to use all")
    options = method.options.model_validate(config.options)
    rate = config.train.learning_rate or method.learning_rate(files.kind) * objective.rate_scale
    acts = behaviour(config, prepared.labels, rate, options.model_dump(mode="json"), parent)
    template = ChatRenderer(files.tokenizer, files.stop_ids).template_hash if files.kind == "causal" else text_template_hash()
    run = runs / run_key(name, files.fingerprint, template, prepared.record.digest, acts)
    if parent is not None:
        check_parent(parent, config, acts["options"], files, template)
    plan = Plan(name, config, files, prepared, run, method, objective, options, rate, template, parent)
    with storage_errors(run), team.watched():
        run.mkdir(parents=True, exist_ok=True)
        with only_one(run) if team.main else contextlib.nullcontext():
            if team.main:
                _write_settings(plan, acts)
            if team.from_main((run / ADAPTER).is_dir):  # renamed into place when whole
                console.print(f"{name}: this very run is finished already; its adapter is used (remove {run} to train again)")
            else:
                _train(plan, console)
            if team.main:
                _tidy(plan)
            team.wait()
    statistics = json.loads((run / ADAPTER / _STATISTICS).read_text(encoding="utf-8"))
    return TrainedAdapter(run / ADAPTER, run, acts, statistics["figures"], statistics["libraries"], template)


def _write_settings(plan: Plan, acts: dict[str, Any]) -> None:
    """For people who look at the run later: the key of the run is made of this, and cannot be read back."""
    data = {"digest": plan.prepared.record.digest, "files": sorted(plan.prepared.record.source_files), "rows": plan.prepared.record.rows}
    write_text(plan.run / SETTINGS, canonical_json({"base": base_name(plan.files.spec), "data": data, **acts}) + "\n")


def _train(plan: Plan, console: Console) -> None:
    """All processes train; the main one writes and proves the adapter."""
    if not processes().main:
        fit(plan, None, console)
        return
    with staged_folder(plan.run / ADAPTER) as folder:
        outcome = fit(plan, folder, console)
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


def _card(plan: Plan, head_scale: float | None) -> AdapterCard:
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


def _tidy(plan: Plan) -> None:
    """What a finished run does not need goes, also what a kill at the very end left behind."""
    title = f"{plan.name}: {plan.config.method} on {base_name(plan.files.spec)}"
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
