"""Table models that are ready to answer: found in the registry, read once, kept by digest."""

from __future__ import annotations

import threading
from collections import OrderedDict

from hatrack.core.errors import AdapterMismatch, AdapterNotFound
from hatrack.core.lineage import TABLE, Manifest
from hatrack.core.names import closest
from hatrack.registry.store import Registry
from hatrack.tabular.model import TableModel

__all__ = ["TableShelf", "resolve_table", "stored_table"]

_MOST = 16  # models that are kept in memory


class TableShelf:
    """The table models of one registry. What a name means is looked up again whenever the registry has changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._stamp: object = None
        self._meant: dict[str, Manifest] = {}
        self._models: OrderedDict[str, TableModel] = OrderedDict()

    def names(self) -> list[str]:
        """All tables that have a version."""
        return self._registry.names(TABLE)

    def resolve(self, reference: str) -> Manifest:
        """The version that a name means now.

        Raises:
            AdapterNotFound: there is none. AdapterMismatch: the name is an adapter's.
        """
        with self._lock:
            if (stamp := self._registry.stamp()) != self._stamp:
                self._meant, self._stamp = {}, stamp
            if reference not in self._meant:
                found = resolve_table(self._registry, reference)
                if len(self._meant) < 1000:  # names come from clients
                    self._meant[reference] = found
                return found
            return self._meant[reference]

    def get(self, manifest: Manifest) -> TableModel:
        """The model of a version.

        Raises:
            AdapterBroken: its files are damaged.
        """
        with self._lock:
            if manifest.digest not in self._models:
                self._models[manifest.digest] = TableModel.load(self._registry.files(manifest))
                while len(self._models) > _MOST:
                    self._models.popitem(last=False)
            self._models.move_to_end(manifest.digest)
            return self._models[manifest.digest]


def stored_table(registry: Registry, reference: str) -> tuple[Manifest, TableModel]:
    """A registered table model, read from its files.

    Raises:
        AdapterNotFound: there is none. AdapterMismatch: the name is an adapter's. AdapterBroken: its files are damaged.
    """
    manifest = resolve_table(registry, reference)
    return manifest, TableModel.load(registry.files(manifest))


def resolve_table(registry: Registry, reference: str) -> Manifest:
    """As ``Registry.resolve``, for tables only.

    Raises:
        AdapterNotFound: there is none. AdapterMismatch: the name is an adapter's.
    """
    name = reference.partition("@")[0]
    tables = registry.names(TABLE)
    if name in tables:
        return registry.resolve(reference)
    if name in registry.names():
        raise AdapterMismatch(f"{name} is an adapter, not a table", given=reference, allowed=", ".join(tables) or "no table yet")
    near = closest(name, tables, 1)
    raise AdapterNotFound(
        f"the table {name!r} has no version yet",
        given=reference,
        allowed=", ".join(tables) or "none was trained yet",
        fix=f"did you mean {near[0]}?" if near else "run `hatrack table train NAME`",
    )
