"""One hosted run: files up, one job, followed to its end, the folder of a hosted adapter out. The same inputs pay once."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hatrack.core.atomic import staged_folder, storage_errors, write_text
from hatrack.core.digest import canonical_json
from hatrack.core.errors import JobFailed, ProviderUnreachable, TrainingError
from hatrack.core.lineage import HostedWeights
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.backends.hosted import HOSTED, HOSTED_TEMPLATE, write_hosted
from hatrack.training.hosted.files import Sent
from hatrack.training.hosted.follow import follow
from hatrack.training.hosted.ledger import JobLedger
from hatrack.training.hosted.plan import HostedPlan
from hatrack.training.only_one import only_one
from hatrack.training.providers.base import JobRequest, JobState, Provider

__all__ = ["HostedRun", "cancel_job", "train_hosted"]

_ADAPTER = "adapter"
_STATISTICS = "training.json"
_SUFFIX = 18  # characters; the strictest limit that was in force

Say = Callable[[str], None]


@dataclass(frozen=True)
class HostedRun:
    """A finished hosted adapter on disk, not yet registered. As ``TrainedAdapter``, with the weights elsewhere."""

    folder: Path
    weights: HostedWeights
    statistics: dict[str, float]
    libraries: dict[str, str]


def train_hosted(
    plan: HostedPlan,
    connect: Callable[[], Provider],
    files: Callable[[], tuple[Sent, ...]],
    say: Say,
    *,
    again: bool = False,
) -> HostedRun:
    """Train at a provider, or follow or find the job that these inputs have already started.

    Args:
        connect: the provider; called only where something must be asked.
        files: writes, checks and announces what will be sent; called only before something is.
        again: start a new job although one of these inputs has ended.

    Raises:
        JobFailed: the job ended without a model, now or in an earlier run.
        TrainingError: ``again`` while a job runs; another process is at this very run.
        ProviderError: the provider refuses or does not answer; what was done is written down.
    """
    with storage_errors(plan.run):
        plan.run.mkdir(parents=True, exist_ok=True)
        with only_one(plan.run):
            ledger = JobLedger.read(plan.run)
            if again and ledger.files:
                ledger = _retired(plan, ledger, connect)
            if (plan.run / _ADAPTER).is_dir():  # renamed into place when whole
                say(f"this very job ({ledger.job}) is finished already; its model is used (--again pays for a new one)")
            else:
                _refuse_ended(plan, ledger)
                _train(plan, ledger, connect(), files, say)
    statistics = json.loads((plan.run / _ADAPTER / _STATISTICS).read_text(encoding="utf-8"))
    weights = HostedWeights.model_validate_json((plan.run / _ADAPTER / HOSTED).read_text(encoding="utf-8"))
    return HostedRun(plan.run / _ADAPTER, weights, statistics["figures"], statistics["libraries"])


def cancel_job(plan: HostedPlan, connect: Callable[[], Provider]) -> JobState:
    """Stop the job of a run, from another process too.

    Raises:
        TrainingError: no job of these inputs was started, or it has ended.
    """
    ledger = JobLedger.read(plan.run)
    if ledger.job is None or JobState(ledger.job, ledger.status).finished:
        raise TrainingError(
            "there is no running job of this data and these settings",
            given=f"{ledger.job}: {ledger.status}" if ledger.job else f"{plan.name}: no job was started",
            allowed="a job that runs",
            fix="a job of other settings is cancelled with those settings in hatrack.yaml, or at the provider",
        )
    state = connect().cancel(ledger.job)
    ledger.write(plan.run, status=state.status)
    return state


def _train(plan: HostedPlan, ledger: JobLedger, provider: Provider, files: Callable[[], tuple[Sent, ...]], say: Say) -> None:
    ledger = _started(plan, ledger, provider, files, say)
    job = str(ledger.job)

    def heard(state: JobState) -> None:
        ledger.write(plan.run, status=state.status, error=state.error)

    try:
        state = follow(provider, job, heard, say, plan.settings.poll_seconds)
    except KeyboardInterrupt:
        say(f"job {job} goes on at {plan.host}")
        say(f"  to follow it: {plan.command}")
        say(f"  to end it:    {plan.command} --cancel")
        raise
    _refuse_ended(plan, JobLedger.read(plan.run))
    if not state.model:
        raise JobFailed(
            f"job {job} succeeded and names no model", given=f"{plan.host}: fine_tuned_model is empty", fix="look for it at the provider"
        )
    _finish(plan, state, provider)


def _started(plan: HostedPlan, ledger: JobLedger, provider: Provider, files: Callable[[], tuple[Sent, ...]], say: Say) -> JobLedger:
    """The ledger with a job in it, which is started where there is none."""
    if ledger.job:
        say(f"job {ledger.job} of this data and these settings is running at {plan.host} already; it is followed, no second one is started")
        return ledger
    found = provider.find(ledger.files["train"]) if "train" in ledger.files else None
    if found is None:
        for one in files():
            if one.part not in ledger.files:
                ledger = ledger.write(plan.run, files={**ledger.files, one.part: provider.upload(one.path)})
                say(f"{one.part} sent: {ledger.files[one.part]}")
        request = JobRequest(
            plan.settings.model, ledger.files, plan.method, plan.hyperparameters, plan.config.train.seed, plan.name[:_SUFFIX]
        )
        try:
            found = provider.start(request)
        except ProviderUnreachable:
            found = provider.find(ledger.files["train"])  # the answer may be lost, and the job there
            if found is None:
                raise
    ledger = ledger.write(plan.run, job=found.id, status=found.status)
    say(f"job {found.id} started at {plan.host}; Ctrl-C leaves it running")
    return ledger


def _retired(plan: HostedPlan, ledger: JobLedger, connect: Callable[[], Provider]) -> JobLedger:
    state: JobState | None = JobState(ledger.job, ledger.status) if ledger.job else None
    if state is None:
        state = connect().find(ledger.files["train"]) if "train" in ledger.files else None
    elif not state.finished:
        state = connect().state(state.id)
    if state is not None and not state.finished:
        raise TrainingError(
            "the job before is still running, and --again would pay for a second one beside it",
            given=f"{state.id}: {state.status}",
            allowed="--again once it has ended",
            fix="leave off --again to follow it, or end it with --cancel",
        )
    # the adapter first: a kill in between leaves a job that has succeeded, of which the next run makes it again
    shutil.rmtree(plan.run / _ADAPTER, ignore_errors=True)
    return ledger.retire(plan.run)


def _refuse_ended(plan: HostedPlan, ledger: JobLedger) -> None:
    if ledger.status in ("failed", "cancelled"):
        raise JobFailed(
            f"job {ledger.job} at {plan.host} {'failed' if ledger.status == 'failed' else 'was cancelled'}",
            given=ledger.error or "no reason is told",
            allowed="a job that succeeds",
            fix="correct the data or the settings, which makes it another job; or pay for the same once more with --again",
        )


def _finish(plan: HostedPlan, state: JobState, provider: Provider) -> None:
    settings, config = plan.settings, plan.config
    card = AdapterCard(
        task=config.task,
        method=plan.provider,
        labels=plan.prepared.labels,
        system=config.system,
        template_hash=HOSTED_TEMPLATE,
        base_fingerprint=plan.fingerprint,
        max_length=config.train.max_length,
        answer_schema=config.answer_schema,
    )
    weights = HostedWeights(
        provider=plan.provider,
        base_url=settings.base_url,
        api_key_env=settings.api_key_env,
        base_model=settings.model,
        model=str(state.model),
        job=state.id,
        hyperparameters=state.hyperparameters,
        trained_tokens=state.trained_tokens,
        data_digest=plan.prepared.record.digest,
        checkpoints=provider.checkpoints(state.id),
    )
    figures = {"seconds": state.seconds, "trained_tokens": float(state.trained_tokens or 0)}
    libraries = {**provider.libraries, "hatrack": version("hatrack"), "python": sys.version.split()[0]}
    with staged_folder(plan.run / _ADAPTER) as folder:
        write_hosted(folder, card, weights)
        write_text(folder / _STATISTICS, canonical_json({"figures": figures, "libraries": libraries}))
