"""An engine: whatever answers requests for one base and its adapters. Each is one function that opens it.

    torch     in this process, on kernels that mix adapters      hatrack.serving.engine
    vllm      a vLLM server, by URL                          ┐   hatrack.serving.engines.dispatch
    llamacpp  a quantised base in GGUF, by xllamacpp         ┘   hands requests to it

What an engine does not take (``takes``), with ``torch`` alone, the group engine answers on transformers' own modules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hatrack.core.config_serve import ServeSettings
from hatrack.core.errors import AdapterError
from hatrack.core.lineage import Manifest
from hatrack.core.plugins import Plugins
from hatrack.core.project import Project
from hatrack.models.loading import BaseModelFiles
from hatrack.models.render import ChatRenderer
from hatrack.serving.answer import Constraint
from hatrack.serving.request import Request
from hatrack.serving.settings import EngineSettings
from hatrack.serving.statistics import Statistics

__all__ = ["ENGINES", "EngineParts", "Residence", "ServingEngine", "not_taken"]


@dataclass(frozen=True)
class Residence:
    """Where adapters are just now, by digest (F30); and, by address, whether the servers behind the engine answer."""

    resident: Collection[str] = ()
    loading: Collection[str] = ()
    pinned: Collection[str] = ()
    loads: Mapping[str, int] = field(default_factory=dict)
    evictions: Mapping[str, int] = field(default_factory=dict)
    servers: Mapping[str, bool] = field(default_factory=dict)


class ServingEngine(Protocol):
    """Answers requests. Every method may be called from any thread."""

    settings: EngineSettings
    statistics: Statistics

    def start(self) -> None:
        """Begin to answer.

        Raises:
            EngineError: what it stands on is away.
        """
        ...

    def stop(self, *, drain: bool = True, timeout: float = 60.0) -> None:
        """Take no more requests; finish those that were taken, or cancel them, and end."""
        ...

    def takes(self, folder: Path) -> bool:
        """Whether it can answer with the adapter whose files lie in ``folder``."""
        ...

    def submit(self, request: Request, constraint: Constraint | None = None) -> None:
        """Take a request, or refuse it before anything is computed. Events follow, the last one ``Finished`` or ``Failed``.

        Raises:
            Busy: too many are waiting. RequestError: it does not fit, or the engine ends.
        """
        ...

    def load(self, manifest: Manifest) -> None:
        """Begin to load an adapter before anybody asks for it."""
        ...

    def unload(self, digest: str) -> bool:
        """Let go of an adapter; False while it runs or when it is not there."""
        ...

    def pin(self, manifest: Manifest) -> bool:
        """Load an adapter and never let it give way; False where no slot would be left for the others."""
        ...

    def unpin(self, digest: str) -> None:
        """Let an adapter give way again."""
        ...

    def waiting(self) -> dict[str, int]:
        """How many requests wait, by digest."""
        ...

    def running(self) -> Counter[str]:
        """How many answers are being made, by digest."""
        ...

    def residence(self) -> Residence:
        """Where adapters are just now."""
        ...


@dataclass(frozen=True)
class EngineParts:
    """What an engine is made from.

    Attributes:
        folder: a version's files, checked.
        project: where paths in the config are meant from, and where files made from adapters are kept.
    """

    files: BaseModelFiles
    renderer: ChatRenderer
    folder: Callable[[Manifest], Path]
    settings: EngineSettings
    serve: ServeSettings
    project: Project

    @property
    def cache(self) -> Path:
        """Files made from adapters."""
        return self.project.state / "cache"


OpenEngine = Callable[[EngineParts], ServingEngine | None]  # None: not for a base of this architecture

ENGINES: Plugins[OpenEngine] = Plugins(
    "engine",
    {
        "llamacpp": "hatrack.serving.engines.llamacpp:open_llamacpp",
        "torch": "hatrack.serving.engines.embedded:open_torch",
        "vllm": "hatrack.serving.engines.vllm:open_vllm",
    },
)


def not_taken(engine: str, manifest: Manifest, method: str) -> AdapterError:
    """The error for an adapter that an engine other than the embedded one cannot answer with."""
    return AdapterError(
        f"the engine {engine} cannot answer with {manifest.name}@{manifest.version}",
        given=f"method {method}",
        allowed="LoRA without DoRA's magnitudes",
        fix="serve it with serve.engine: torch",
    )
