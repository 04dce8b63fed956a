"""A new champion: the registry's gate, and what 8 bits will cost it where the server holds its base in 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatrack.core.errors import HatrackError
from hatrack.core.lineage import Manifest
from hatrack.core.precision import GENERATES, INT8, PrecisionRecord
from hatrack.data.prepare import Prepared
from hatrack.registry.promote import check_promotion, promote

if TYPE_CHECKING:
    from hatrack.workflows.adapt import Workbench

__all__ = ["promote_measured"]


def promote_measured(bench: Workbench, reference: str, *, override: str = "", prepared: Prepared | None = None) -> Manifest:
    """Promote a version, having measured it in the precision it will be served in.

    The server serves a version in full precision if 8 bits were found to cost it more than ``serve.max_int8_loss``. Where
    that cannot be measured, the console says why.

    Raises:
        AdapterNotFound, PromotionRefused: as ``hatrack.registry.promote`` does.
    """
    rules = bench.config.gate
    manifest, _ = check_promotion(bench.registry, reference, override=override, rules=rules)
    if bench.config.serve.precision == "int8" and manifest.config["task"] in GENERATES and not manifest.hosted:
        bench.console.print(f"[dim]{_in_8_bits(bench, manifest, prepared)}[/dim]")
    return promote(bench.registry, f"{manifest.name}@{manifest.version}", override=override, rules=rules)


def _in_8_bits(bench: Workbench, manifest: Manifest, prepared: Prepared | None) -> str:
    from hatrack.workflows.precision import measure_int8  # starts a server, whose parts are an extra

    kept = bench.registry.attached(INT8).get(manifest.digest)
    try:
        record = PrecisionRecord.read(kept) if kept else measure_int8(bench, manifest, prepared or bench.prepare(manifest.name))
    except HatrackError as error:  # no test rows any more, no kernels for it: nothing that forbids a promotion
        return f"{manifest.name}: not measured in 8 bits: {error.what}"
    return f"{manifest.name}: {record.sentence(bench.config.serve.max_int8_loss)}"
