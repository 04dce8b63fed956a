"""Which adapters lie on the base: loaded once by digest, checked, and then only switched to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from hatrack.core.lineage import Manifest
from hatrack.core.names import BASE
from hatrack.models.host import AttachedAdapter, ModelHost
from hatrack.registry.store import Registry

__all__ = ["AdapterPool", "Resident"]


class Resident:
    """An adapter in use: its manifest and itself; both are None for ``base``."""

    def __init__(self, manifest: Manifest | None, adapter: AttachedAdapter | None) -> None:
        self.manifest = manifest
        self.adapter = adapter


class AdapterPool:
    """The adapters of one base. Names resolve through the registry only; memory is keyed by digest (F24, F31).

    One request at a time owns the base: ``using`` holds a lock for its block.
    """

    def __init__(self, host: ModelHost, registry: Registry) -> None:
        self.host = host
        self.registry = registry
        self.loads = 0
        self._lock = threading.RLock()
        self._resolved: dict[str, Manifest] = {}
        self._stamp: object = None

    def resolve(self, reference: str) -> Manifest | None:
        """The version that ``reference`` means now; None for ``base``. Asks the registry again only when it has changed.

        Raises:
            AdapterNotFound: unknown; the base never answers in its place (F23).
        """
        if reference == BASE:
            return None
        with self._lock:
            stamp = self.registry.stamp()
            if stamp != self._stamp:
                self._resolved.clear()
                self._stamp = stamp
            if reference not in self._resolved:
                self._resolved[reference] = self.registry.resolve(reference)
            return self._resolved[reference]

    @contextlib.contextmanager
    def using(self, reference: str) -> Iterator[Resident]:
        """Apply an adapter inside the block, loading it first if it is not resident.

        Raises:
            AdapterNotFound: no such name, version or alias.
            AdapterMismatch: it belongs to another base or template.
            AdapterBroken: its files are damaged or it does not act as it did at training.
        """
        manifest = self.resolve(reference)
        with self._lock:
            if manifest is None:
                with self.host.using(BASE):
                    yield Resident(None, None)
                return
            self.load(manifest)
            with self.host.using(manifest.digest) as adapter:
                yield Resident(manifest, adapter)

    def load(self, manifest: Manifest) -> AttachedAdapter:
        """Make a version resident; nothing happens when it is."""
        with self._lock:
            resident = self.host.adapters.get(manifest.digest)
            if resident is None:
                resident = self.host.attach(manifest.digest, self.registry.folder(manifest))
                self.loads += 1
            return resident

    def unload(self, manifest: Manifest) -> None:
        """Free the memory of a version."""
        with self._lock:
            if manifest.digest in self.host.adapters:
                self.host.detach(manifest.digest)
