"""A new champion: the registry's gate, and what 8 bits will cost it where the server holds its base in 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatrack.core.aside import aside
from hatrack.core.config import ProjectConfig
from hatrack.core.errors import HatrackError
from hatrack.core.lineage import Manifest
from hatrack.core.precision import GENERATES, INT8, PrecisionRecord
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry

if TYPE_CHECKING:
    from hatrack.data.prepare import Prepared
    from hatrack.workflows.adapt import Workbench

__all__ = ["promote_measured", "wants_measuring"]


def wants_measuring(registry: Registry, config: ProjectConfig, manifest: Manifest) -> bool:
    """Whether the server would hold the base in 8 bits for a version of which nobody knows what that costs it."""
    in_8_bits = config.serve.precision == "int8" and manifest.config["task"] in GENERATES and not manifest.hosted
    return in_8_bits and manifest.digest not in registry.attached(INT8)


def promote_measured(bench: Workbench, manifest: Manifest, *, override: str = "", prepared: Prepared | None = None) -> Manifest:
    """Promote a version that passes the gate, having measured it in the precision it will be served in.

    The server serves a version in full precision if 8 bits were found to cost it more than ``serve.max_int8_loss``. Where
    that cannot be measured, the console says why.

    Raises:
        PromotionRefused: as ``hatrack.registry.promote`` does.
    """
    if wants_measuring(bench.registry, bench.config, manifest):
        aside(bench.console)(_in_8_bits(bench, manifest, prepared))
    return promote(bench.registry, f"{manifest.name}@{manifest.version}", override=override, rules=bench.config.gate)


def _in_8_bits(bench: Workbench, manifest: Manifest, prepared: Prepared | None) -> str:
    try:
        from hatrack.workflows.precision import measure_int8  # a server's parts, which are an extra

        record: PrecisionRecord = measure_int8(bench, manifest, prepared or bench.prepare(manifest.name))
    except HatrackError as error:  # no server here, no test rows, no kernels for it: nothing that forbids a promotion
        return f"{manifest.name}: not measured in 8 bits: {error.what}"
    return f"{manifest.name}: {record.sentence(bench.config.serve.max_int8_loss)}"
