"""Hosted fine-tuning: the rows of an adapter go to a provider, and a version whose weights are there is registered."""

from __future__ import annotations

from pydantic import ValidationError

from hatrack.core.config_file import config_faults
from hatrack.core.config_provider import ProviderSettings
from hatrack.core.errors import ConfigError
from hatrack.core.lineage import Manifest
from hatrack.data.leaving import check_leaving
from hatrack.models.backends.endpoint import read_key
from hatrack.models.backends.hosted import HOSTED_TEMPLATE
from hatrack.registry.manifest import build_manifest
from hatrack.training.hosted.files import Sent, facts, write_files
from hatrack.training.hosted.plan import HostedPlan, check_task, make_plan
from hatrack.training.hosted.run import cancel_job, train_hosted
from hatrack.training.providers.base import PROVIDERS, JobState, Provider
from hatrack.workflows.adapt import Workbench

__all__ = ["HostedTraining"]


class HostedTraining:
    """Training at one provider, for the adapters of a project.

    Args:
        endpoint: another address than ``provider.base_url``.

    Raises:
        ConfigError: no such provider, no ``provider:`` in the config, a bad address, or no key. Nothing was sent.
    """

    def __init__(self, bench: Workbench, provider: str, endpoint: str | None = None) -> None:
        self._bench = bench
        self._name = provider
        self._endpoint = endpoint
        self._connect = PROVIDERS.get(provider)
        self._settings = _settings(bench.config.provider, endpoint)
        read_key(self._settings.api_key_env)

    def check(self, name: str) -> None:
        """Refuse an adapter that a provider cannot train, before its data is read.

        Raises:
            ConfigError: there is no such adapter. TrainingError: its task, loss or parent is not for providers.
        """
        check_task(self._bench.adapter(name))

    def train(self, name: str, *, again: bool = False) -> Manifest:
        """Send, start or find again, follow, register.

        Raises:
            DataError: rows that may not be sent. JobFailed, ProviderError: see ``train_hosted``.
        """
        bench, plan = self._bench, self._plan(name)

        def say(line: str) -> None:
            bench.console.print(f"{name}: {line}", markup=False, soft_wrap=True)  # commands are there to be copied

        def files() -> tuple[Sent, ...]:
            permitted = self._settings.personal_data == "send"
            personal_data = check_leaving(plan.config, plan.prepared, plan.host, permitted=permitted)
            sent = write_files(plan, bench.files.tokenizer)
            for line in facts(plan, sent, bench.config.base, personal_data):
                bench.console.print(line, markup=False, soft_wrap=True)
            return sent

        run = train_hosted(plan, self._provider, files, say, again=again)
        manifest = build_manifest(
            bench.registry,
            name,
            run.folder,
            base=f"{self._name}/{self._settings.model}",
            base_fingerprint=plan.fingerprint,
            template_hash=HOSTED_TEMPLATE,
            behaviour=plan.behaviour,
            data=plan.prepared.record,
            training=run.statistics,
            libraries=run.libraries,
            hosted=run.weights,
        )
        return bench.registry.add(manifest, run.folder)

    def cancel(self, name: str) -> JobState:
        """End the job of an adapter's present data and settings.

        Raises:
            TrainingError: there is none that runs. ProviderError: the provider refuses.
        """
        return cancel_job(self._plan(name), self._provider)

    def _plan(self, name: str) -> HostedPlan:
        bench = self._bench
        command = f"hatrack train {name} --provider {self._name}" + (f" --endpoint {self._endpoint}" if self._endpoint else "")
        return make_plan(name, self._name, bench.adapter(name), self._settings, bench.prepare(name), bench.project.runs, command)

    def _provider(self) -> Provider:
        return self._connect(self._settings.base_url, self._settings.api_key_env)


def _settings(settings: ProviderSettings | None, endpoint: str | None) -> ProviderSettings:
    if settings is None:
        raise ConfigError(
            "hatrack.yaml does not say what to fine-tune at a provider",
            given="no provider",
            allowed="provider: {model: NAME}",
            fix="add the key provider, with the provider's name of the model",
        )
    if endpoint is None:
        return settings
    try:
        return ProviderSettings.model_validate({**settings.model_dump(), "base_url": endpoint})
    except ValidationError as error:
        raise ConfigError(
            "--endpoint is no address to send data to", faults=tuple(config_faults(error, ProviderSettings)), allowed="https://HOST/v1"
        ) from error
