"""What the pages show of a project, in their own words: adapters, versions, proof, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.config import AdapterConfig, ProjectConfig
from hatrack.core.config_file import CONFIG_NAME, read_config
from hatrack.core.errors import AdapterNotFound
from hatrack.core.figures import metric_words, p_words
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.core.project import Project
from hatrack.registry.store import CHAMPION, Registry

__all__ = [
    "AdapterView",
    "Difference",
    "Proof",
    "SystemRow",
    "VersionView",
    "adapter_view",
    "adapter_views",
    "check_page",
    "config_of",
    "version_view",
]


@dataclass(frozen=True)
class SystemRow:
    """One side of a comparison; ``scores`` in the order of ``Proof.metrics``, as text."""

    name: str
    description: str
    scores: tuple[str, ...]
    latency: str


@dataclass(frozen=True)
class Difference:
    """Adapter minus base in one figure. ``sure``: better, worse, or empty where the interval holds zero."""

    metric: str
    against: str
    value: str
    interval: str
    p: str
    sure: str


@dataclass(frozen=True)
class Proof:
    """A report as tables."""

    rows: int
    metrics: tuple[str, ...]
    systems: tuple[SystemRow, ...]
    differences: tuple[Difference, ...]
    passed: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class VersionView:
    """One version, with its proof where it was measured."""

    version: str
    digest: str
    aliases: tuple[str, ...]
    about: str
    created: str
    minutes: float
    score: str
    gain: str
    proof: Proof | None


@dataclass(frozen=True)
class AdapterView:
    """An adapter of the config, of the registry, or of both.

    Attributes:
        task: empty where the config does not know it any more.
        file: the training rows; empty where there are none.
        versions: newest first.
    """

    name: str
    task: str
    data: str
    file: str
    versions: tuple[VersionView, ...]
    champion: str
    checked: bool
    compared: bool

    @property
    def next(self) -> str:
        """What to do now: ``check``, ``train``, ``look`` (nothing was better than the base) or ``serve``."""
        if not self.versions:
            return "train" if self.checked else "check"
        return "serve" if self.champion else "look"


def config_of(project: Project) -> ProjectConfig | None:
    """The config; None where there is none yet.

    Raises:
        ConfigError: it cannot be read, or has faults.
    """
    return read_config(project.root) if (project.root / CONFIG_NAME).exists() else None


def adapter_views(project: Project) -> list[AdapterView]:
    """All adapters: those of the config in its order, then those that only the registry knows."""
    config, registry = config_of(project), Registry(project)
    known = config.adapters if config else {}
    names = [*known, *(name for name in registry.names() if name not in known)]
    return [_view(project, registry, name, known.get(name)) for name in names]


def adapter_view(project: Project, name: str) -> AdapterView:
    """One adapter.

    Raises:
        AdapterNotFound: neither the config nor the registry knows it.
    """
    found = next((view for view in adapter_views(project) if view.name == name), None)
    if found is None:
        raise AdapterNotFound(f"there is no adapter called {name!r}", given=name, fix="the first page lists them")
    return found


def check_page(project: Project, name: str) -> Path:
    """Where the report of the data of an adapter lies, once it was looked at."""
    return project.studio / f"check-{name}.html"


def _view(project: Project, registry: Registry, name: str, config: AdapterConfig | None) -> AdapterView:
    aliases = registry.aliases(name) if name in registry.names() else {}
    versions = reversed(registry.versions(name)) if aliases or name in registry.names() else ()
    return AdapterView(
        name,
        config.task if config else "",
        _data(config.data) if config else "",
        config.data.train if config and config.data else "",
        tuple(version_view(manifest, aliases, registry.report(manifest)) for manifest in versions),
        aliases.get(CHAMPION, ""),
        check_page(project, name).is_file(),
        (project.runs / f"{name}#compare" / "compare.html").is_file(),
    )


def _data(data: Any) -> str:
    if data is None:
        return "none: a hosted model answers"
    train = getattr(data, "train", data)
    return ", ".join(map(str, train)) if isinstance(train, list | tuple) else str(train)


def version_view(manifest: Manifest, aliases: dict[str, str], report: EvalReport | None) -> VersionView:
    """One version of an adapter or of a table, with its proof."""
    proof = _proof(report) if report else None
    gain = report.comparison(report.metric) if report else None
    return VersionView(
        manifest.version,
        manifest.digest[:12],
        tuple(sorted(alias for alias, version in aliases.items() if version == manifest.version)),
        f"{manifest.config['task']}, {manifest.config['method']}",
        manifest.created[:16].replace("T", " "),
        manifest.training.get("seconds", 0.0) / 60,
        f"{metric_words(report.metric)} {report.system('adapter').scores[report.metric].value:.3f}" if report else "",
        f"{gain.difference:+.3f} ({gain.interval.low:+.3f} to {gain.interval.high:+.3f})" if gain else "",
        proof,
    )


def _proof(report: EvalReport) -> Proof:
    metrics = tuple(dict.fromkeys(metric for system in report.systems for metric in system.scores))
    systems = []
    for system in report.systems:
        scores = []
        for metric in metrics:
            score = system.scores.get(metric)
            interval = f" ({score.interval.low:.3f} to {score.interval.high:.3f})" if score and score.interval else ""
            scores.append(f"{score.value:.3f}{interval}" if score else "")
        latency = f"{system.latency_p50_ms:.0f} / {system.latency_p95_ms:.0f}"
        systems.append(SystemRow(system.name, system.description, tuple(scores), latency))
    differences = [
        Difference(
            metric_words(one.metric),
            one.base,
            f"{one.difference:+.3f}",
            f"{one.interval.low:+.3f} to {one.interval.high:+.3f}",
            p_words(one.p_value),
            "better" if one.significant_gain else "worse" if one.significant_loss else "",
        )
        for one in report.comparisons
        if one.base == report.best_base
    ]
    words = tuple(metric_words(metric) for metric in metrics)
    reasons = (*report.reasons, *(kept.sentence for kept in report.kept))
    return Proof(report.rows, words, tuple(systems), tuple(differences), report.passed, reasons)
