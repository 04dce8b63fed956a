"""Adapters that a hosted model answers for: how they become versions, on what terms they are asked, what may be sent."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from hatrack.core.config import AdapterConfig, ProjectConfig
from hatrack.core.config_file import CONFIG_NAME, read_config
from hatrack.core.lineage import DataRecord, HostedWeights, Manifest
from hatrack.core.project import Project
from hatrack.data.leaving import check_leaving
from hatrack.data.prepare import Prepared
from hatrack.models.adapters.folder import AdapterCard
from hatrack.models.backends.hosted import HOSTED_TEMPLATE, HostedAdapter, hosted_fingerprint, open_hosted, write_hosted
from hatrack.models.backends.metered import MeteredModel
from hatrack.models.backends.terms import Terms, terms_for, weights_of
from hatrack.registry.manifest import build_manifest

if TYPE_CHECKING:
    from hatrack.workflows.adapt import Workbench

__all__ = ["may_send", "open_at", "open_version", "register_hosted"]

_NO_ROWS = DataRecord(
    digest="", train_digest="", validation_digest="", test_digest="", rows={}, rejected=0, source_files={}
)  # of an adapter that is only asked


def register_hosted(bench: Workbench, name: str, prepared: Prepared | None) -> Manifest:
    """The version of an adapter with ``hosted:``. Nothing is trained and nothing is sent; the same settings are one version."""
    config, project = bench.adapter(name), bench.project
    weights = weights_of(bench.config.hosted[config.hosted or ""])
    fingerprint = hosted_fingerprint(weights.provider, weights.base_url, weights.model)
    labels = config.labels or (prepared.labels if prepared else ())
    card = AdapterCard(
        task=config.task,
        method="hosted",
        labels=labels,
        system=config.system,
        template_hash=HOSTED_TEMPLATE,
        base_fingerprint=fingerprint,
        max_length=config.train.max_length,
        answer_schema=config.answer_schema,
    )
    project.state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=project.state, prefix=".hosted-") as place:
        folder = Path(place)
        write_hosted(folder, card, weights)
        manifest = build_manifest(
            bench.registry,
            name,
            folder,
            base=f"{weights.provider}/{weights.model}",
            base_fingerprint=fingerprint,
            template_hash=HOSTED_TEMPLATE,
            behaviour=_behaviour(config, labels, weights),
            data=prepared.record if prepared else _NO_ROWS,
            training={},
            libraries={"hatrack": version("hatrack"), "python": sys.version.split()[0]},
            hosted=weights,
        )
        return bench.registry.add(manifest, folder)


def open_version(bench: Workbench, manifest: Manifest) -> HostedAdapter:
    """A hosted version, on its project's terms. Nothing is sent.

    Raises:
        AdapterBroken: its files are damaged. ConfigError: there is no key.
    """
    return open_hosted(
        bench.registry.files(manifest), lambda weights: terms_for(bench.config, bench.project.spending, weights, manifest.name)
    )


def may_send(bench: Workbench, manifest: Manifest, prepared: Prepared, host: str) -> None:
    """See that the rows of a hosted version may leave this machine.

    Raises:
        CheckFailed: they hold personal data, and nobody said that it may be sent.
    """
    config = bench.adapter(manifest.name)
    permits = bench.config.provider if config.hosted is None else bench.config.hosted.get(config.hosted)
    check_leaving(config, prepared, host, permitted=permits is not None and permits.personal_data == "send")


def open_at(root: Path, weights: HostedWeights) -> MeteredModel:
    """A model at an address that was given by hand; in a project's folder it is entered in the book, and its budget counts.

    Raises:
        ConfigError: faults in ``hatrack.yaml``, or there is no key.
    """
    return MeteredModel(weights, _terms_at(root, weights))


def _terms_at(root: Path, weights: HostedWeights) -> Terms:
    if not (root / CONFIG_NAME).is_file():
        return terms_for(ProjectConfig.model_construct(), None, weights)
    return terms_for(read_config(root), Project(root.absolute()).spending, weights)


def _behaviour(config: AdapterConfig, labels: tuple[str, ...], weights: HostedWeights) -> dict[str, object]:
    return {
        "task": config.task,
        "method": "hosted",
        "options": {"base_url": weights.base_url, "model": weights.model, "sampling": weights.sampling},
        "system": config.system,
        "labels": list(labels),
        "answer_schema": config.answer_schema,
        "train": {"seed": config.train.seed},
    }
