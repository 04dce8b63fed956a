"""The plug-in point of exporters: a version, with its record and its evidence, as another registry keeps such things."""

from __future__ import annotations

from typing import Protocol

from hatrack.core.lineage import Manifest
from hatrack.core.plugins import Plugins
from hatrack.registry.store import Registry

__all__ = ["VERSION_EXPORTS", "VersionExport"]


class VersionExport(Protocol):
    """Made without arguments."""

    target: str  # what ``--out`` means to it, for the help

    def export(self, registry: Registry, manifest: Manifest, out: str) -> str:
        """Write a version to ``out`` (empty: where this kind of export goes by itself) and say where it is.

        The same version exported twice is there once.

        Raises:
            AdapterBroken: a file of it is missing or damaged. StorageError: ``out`` cannot be written.
            MissingExtra: the other registry's client is not installed.
        """


VERSION_EXPORTS: Plugins[type[VersionExport]] = Plugins(
    "version_export",
    {
        "mlflow": "hatrack.registry.exporters.mlflow:MlflowExport",
        "oci": "hatrack.registry.exporters.oci:OciExport",
    },
)
