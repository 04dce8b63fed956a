"""Data to a proven adapter, on one page: check, train, register, evaluate, promote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hatrack.core.aside import aside
from hatrack.core.config import AdapterConfig, ProjectConfig
from hatrack.core.config_file import read_config
from hatrack.core.errors import ConfigError
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.core.names import closest
from hatrack.core.project import Project
from hatrack.data.prepare import Prepared, prepare
from hatrack.data.tools import Tools
from hatrack.evaluation.compare import evaluate_adapter
from hatrack.evaluation.drift.sample import REFERENCE
from hatrack.evaluation.gate import check_rules
from hatrack.models.host import ModelHost
from hatrack.models.loading import BaseModelFiles, open_base
from hatrack.registry.manifest import build_manifest
from hatrack.registry.store import CHAMPION, Registry
from hatrack.training.matching import check_fit
from hatrack.training.methods.base import option_model
from hatrack.training.parent import Parent
from hatrack.training.processes import processes
from hatrack.training.run import TrainedAdapter, train_adapter
from hatrack.workflows.hosted_models import may_send, open_version, register_hosted
from hatrack.workflows.parents import kept_of_parents, say_forgotten
from hatrack.workflows.promotion import promote_measured
from hatrack.workflows.step_bar import StepBar

__all__ = ["Workbench", "adapt", "prove"]


@dataclass
class Workbench:
    """What the steps share: the project, its base, and, once something was evaluated, the loaded base."""

    project: Project
    config: ProjectConfig
    registry: Registry
    console: Console
    files: BaseModelFiles
    host: ModelHost | None = None

    @classmethod
    def open(cls, root: Path, console: Console) -> Workbench:
        """Read the project in ``root``; every fault of its config is reported before anything is loaded.

        Raises:
            ConfigError: faults in ``hatrack.yaml``. ModelError: the base cannot be had.
        """
        config = read_config(root, option_model)
        check_rules(config.gate)
        project = Project(root.absolute())
        team = processes()
        team.check_folder(project.state)
        with team.first():
            files = open_base(project.base_spec(config.base), report=aside(console))
            return cls(project, config, Registry(project), console, files)

    def adapter(self, name: str) -> AdapterConfig:
        """The config of one adapter.

        Raises:
            ConfigError: ``hatrack.yaml`` has no such adapter.
        """
        found = self.config.adapters.get(name)
        if found is None:
            near = closest(name, self.config.adapters, 1)
            raise ConfigError(
                f"hatrack.yaml has no adapter called {name!r}",
                given=name,
                allowed=", ".join(self.config.adapters),
                fix=f"did you mean {near[0]}?" if near else "",
            )
        return found

    def with_rows(self) -> list[str]:
        """The adapters that have rows, so all but hosted ones that are only asked; where none has, all, to be told so."""
        return [name for name, one in self.config.adapters.items() if one.data is not None] or list(self.config.adapters)

    def prepare(self, name: str) -> Prepared:
        """Read, check and split the data of one adapter."""
        config, rejects = self.adapter(name), self.project.rejects / f"{name}.jsonl"
        tools = Tools(aside(self.console))
        with processes().first(), StepBar(name, self.console) as bar:
            prepared = prepare(config, self.project.root, rejects, progress=bar.update, tools=tools)
        for note in prepared.notes:
            self.console.print(f"{name}: {note}", style="yellow", markup=False)
        return prepared

    def prepare_all(self, names: Sequence[str]) -> dict[str, Prepared]:
        """The rows of all adapters that have some: a fault of the last one is found before the first one is trained.

        Raises:
            TrainingError: task, method and base of one do not go together. DataError: the rows of one are refused.
        """
        for name in names:
            if self.adapter(name).hosted is None:
                check_fit(self.adapter(name), self.files)
        return {name: self.prepare(name) for name in names if self.adapter(name).data is not None}

    def parent(self, name: str) -> Parent | None:
        """The version that an adapter trains on from, if its config names one.

        Raises:
            AdapterNotFound: there is no such version; train the parent first.
        """
        reference = self.adapter(name).parent
        if reference is None:
            return None
        manifest = self.registry.resolve(reference)
        return Parent(manifest, self.registry.folder(manifest))

    def make(self, name: str, prepared: Prepared | None = None) -> Manifest:
        """A version by hatrack.yaml: trained here, or, where a hosted model answers, registered, for which no rows are needed."""
        config = self.adapter(name)
        if config.hosted is not None and config.data is None:
            return register_hosted(self, name, None)
        return self.train(name, prepared or self.prepare(name))

    def train(self, name: str, prepared: Prepared, config: AdapterConfig | None = None) -> Manifest:
        """Train and register a version, by ``config`` if not by hatrack.yaml; the same digest is registered once.

        Of several processes the main one registers. Where a hosted model answers there is nothing to train.
        """
        team = processes()
        if (config or self.adapter(name)).hosted is not None:
            return team.from_main(lambda: register_hosted(self, name, prepared))
        with team.first():
            parent = self.parent(name)
        chosen = config or self.adapter(name)
        trained = train_adapter(name, chosen, self.files, prepared, self.project.runs, self.console, parent)
        return team.from_main(lambda: self._register(name, prepared, trained, parent))

    def _register(self, name: str, prepared: Prepared, trained: TrainedAdapter, parent: Parent | None) -> Manifest:
        manifest = build_manifest(
            self.registry,
            name,
            trained.folder,
            base=self.config.base,
            base_fingerprint=self.files.fingerprint,
            template_hash=trained.template_hash,
            behaviour=trained.behaviour,
            data=prepared.record,
            training=trained.statistics,
            libraries=trained.libraries,
            parents=(parent.manifest.digest,) if parent else (),
        )
        return self.registry.add(manifest, trained.folder)

    def evaluate(self, manifest: Manifest, prepared: Prepared, *, again: bool = False) -> EvalReport:
        """Measure a version against the base and attach the report to it; one that was trained on from another, on that one's rows too."""
        known = self.registry.report(manifest)
        if known is not None and not again and known.test_digest == prepared.record.test_digest:
            self.console.print(f"{manifest.name}@{manifest.version} was evaluated on these very rows already; that report is used")
            report = known
        else:
            report = self.measure(manifest, prepared).model_copy(update={"kept": kept_of_parents(self, manifest)})
            self.registry.add_report(manifest, report)
        say_forgotten(self, manifest, report)
        return report

    def hosting(self, *versions: Manifest) -> ModelHost:
        """The loaded base, with these versions attached under their digests.

        Raises:
            WeightsElsewhere: one has no weights here. AdapterMismatch, AdapterBroken: one cannot be attached.
        """
        if self.host is None:
            self.host = ModelHost(self.files)
        for version in versions:
            if version.digest not in self.host.adapters:
                self.host.attach(version.digest, self.registry.folder(version))
        return self.host

    def measure(self, manifest: Manifest, prepared: Prepared) -> EvalReport:
        """Measure a version against the base, and the parent it was trained on from; the report is not kept."""
        hosted = open_version(self, manifest) if manifest.hosted else None
        if hosted is not None:
            may_send(self, manifest, prepared, hosted.backend.host)
        parent = self.registry.find(manifest.config["parent"]) if "parent" in manifest.config else None
        host = self.hosting(*filter(None, (manifest if hosted is None else None, parent)))
        return evaluate_adapter(
            host,
            manifest.name,
            manifest.digest,
            prepared.splits.test,
            prepared.splits.train,
            prepared.record.test_digest,
            self.config.gate,
            manifest.seed,
            lambda line: aside(self.console)(f"{manifest.name}: {line}"),
            parent.digest if parent else None,
            hosted,
        )


def prove(bench: Workbench, name: str, prepared: Prepared | None = None) -> tuple[Manifest, EvalReport]:
    """Everything up to the gate: check, train, register, evaluate, and the checks that the gate names. Nothing is promoted."""
    from hatrack.workflows.checks import complete_checks  # these ask with a workbench
    from hatrack.workflows.drift import make_reference

    prepared = prepared or bench.prepare(name)
    manifest = bench.train(name, prepared)
    report = bench.evaluate(manifest, prepared)
    if bench.config.watch.log_requests and manifest.digest not in bench.registry.attached(REFERENCE):
        make_reference(bench, manifest, prepared)
    losses = complete_checks(bench, manifest, prepared) if report.passed else ()
    if losses:
        report = report.model_copy(update={"passed": False, "reasons": (*report.reasons, *losses)})
    return manifest, report


def adapt(bench: Workbench, name: str, prepared: Prepared | None = None) -> tuple[Manifest, EvalReport, bool]:
    """The whole way for one adapter; the last value says whether it became champion."""
    prepared = prepared or bench.prepare(name)
    manifest, report = prove(bench, name, prepared)
    if report.passed and bench.registry.aliases(name).get(CHAMPION) != manifest.version:
        promote_measured(bench, manifest, prepared=prepared)
    return manifest, report, report.passed
