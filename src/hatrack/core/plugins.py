"""The only registry code: one lazy table for each plug-in point, the same door for built-ins and for others.

A plug-in point is ``Plugins("metric", {"accuracy": "hatrack.evaluation.metrics.accuracy:Accuracy"})``. Nothing is
imported until a name is asked for. Other packages add theirs with the entry-point group ``hatrack.<kind>``.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from hatrack.core.errors import ConfigError
from hatrack.core.names import closest

__all__ = ["Plugins"]

T = TypeVar("T")


class Plugins(Generic[T]):
    """Names of one kind of plug-in, each resolved when it is first used.

    Args:
        kind: what the plug-ins are, in the singular: ``metric``, ``method``. Entry points are read from the group
            ``hatrack.<kind>``.
        builtin: name to ``"module:attribute"``.
    """

    def __init__(self, kind: str, builtin: Mapping[str, str]) -> None:
        self.kind = kind
        self._builtin = dict(builtin)
        self._loaded: dict[str, T] = {}

    def names(self) -> list[str]:
        """All names, built-in and installed, sorted."""
        return sorted({*self._builtin, *self._installed()})

    def get(self, name: str) -> T:
        """The plug-in called ``name``.

        Raises:
            ConfigError: no plug-in has this name, or an installed package claims a built-in one.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _installed(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in _entry_points(f"hatrack.{self.kind}", tuple(sys.path))}

    def _load(self, name: str) -> T:
        installed = self._installed()
        if name in installed and name in self._builtin:
            raise ConfigError(
                f"two {self.kind} plug-ins are called {name}",
                given=f"{self._builtin[name]} and {installed[name].value}",
                fix="rename or uninstall the second one",
            )
        if name in installed:
            return installed[name].load()  # type: ignore[no-any-return]  # an entry point is typed Any
        if name not in self._builtin:
            near = closest(name, self.names(), 1)
            raise ConfigError(
                f"there is no {self.kind} called {name!r}",
                given=name,
                allowed=", ".join(self.names()),
                fix=f"did you mean {near[0]}?" if near else "",
            )
        module, _, attribute = self._builtin[name].partition(":")
        return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]  # a table of strings


@functools.cache
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Kept for as long as ``path``, where installed packages are looked for, is the same: looking takes milliseconds."""
    return tuple(entry_points(group=group))
