"""Where a base model comes from. A source turns a spec into a local folder that transformers can open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hatrack.core.errors import ModelNotFound
from hatrack.core.plugins import Plugins

__all__ = ["SOURCES", "Report", "Source", "resolve"]

Report = Callable[[str], None]  # one line about long work, for whoever watches


class Source(Protocol):
    """One place base models come from."""

    name: str

    def claims(self, spec: str) -> bool:
        """Whether ``spec`` is written in this source's form. Looks at the text only, except for paths."""
        ...

    def fetch(self, spec: str, cache: Path, report: Report) -> Path:
        """The folder with config, tokenizer and safetensors of ``spec``.

        Raises:
            ModelError: missing, corrupt, of another content, or out of reach; each its own class.
        """
        ...


SOURCES: Plugins[type[Source]] = Plugins(
    "source",
    {
        "bundled": "hatrack.models.sources.bundled:Bundled",
        "local": "hatrack.models.sources.local:Local",
        "hub": "hatrack.models.sources.hub:Hub",
    },
)

_FIRST = ("bundled", "local")  # a path that exists wins over a hub id of the same form


def resolve(spec: str, cache: Path, report: Report = lambda line: None) -> Path:
    """Find ``spec`` in the first source that claims it.

    Raises:
        ModelError: as the source says; ModelNotFound when none claims it.
    """
    names = SOURCES.names()
    for name in [*_FIRST, *(n for n in names if n not in _FIRST)]:
        source = SOURCES.get(name)()
        if source.claims(spec):
            return source.fetch(spec, cache, report)
    raise ModelNotFound(
        "this is no base model",
        given=repr(spec),
        allowed="bundled/NAME, a path to a folder, or a hub id such as org/name",
        fix="correct the key `base` in hatrack.yaml",
    )
