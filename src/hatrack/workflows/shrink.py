"""A version of changed parameters to a smaller one: its differences at a low rank, registered, and measured anew."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from hatrack.core.atomic import STAGING, storage_errors
from hatrack.core.errors import AdapterMismatch, ConfigError
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.models.adapters.delta import held_by, write_delta
from hatrack.models.adapters.folder import CARD, CONFIG, HEAD, PROBE, WEIGHTS, read_card, read_tensors
from hatrack.models.adapters.probe import write_probe
from hatrack.models.delta.parameters import ParameterDelta, read_record, restore_parameters
from hatrack.models.encoder import CosineHead
from hatrack.models.loading import load_module
from hatrack.registry.manifest import build_manifest
from hatrack.training.proof import outputs, served_outputs
from hatrack.workflows.adapt import Workbench

__all__ = ["Shrunk", "shrink"]


@dataclass(frozen=True)
class Shrunk:
    """What came of it.

    Attributes:
        manifest: of the new version.
        record: its sizes and its error.
        bytes_before: size of the weights it was made from.
        report: the new version against the base.
        before: the report of the version it was made from, on the same rows, if there is one.
    """

    manifest: Manifest
    record: ParameterDelta
    bytes_before: int
    report: EvalReport
    before: EvalReport | None


def shrink(bench: Workbench, reference: str, energy: float) -> Shrunk:
    """Keep ``energy`` of the squared norm of each matrix's difference to the base, register the result, and measure it.

    Raises:
        AdapterNotFound: no such version. AdapterMismatch: it holds no whole differences, or they are of a low rank already.
        ConfigError: the energy is no share, or the adapter is not in ``hatrack.yaml``.
    """
    if not 0 < energy < 1:
        raise ConfigError("the energy is a share", given=f"--rank-energy {energy:g}", allowed="above 0 and below 1")
    parent = bench.registry.resolve(reference)
    bench.adapter(parent.name)  # its test rows are needed; refused before anything is computed
    source = bench.registry.folder(parent)
    record = read_record(source / WEIGHTS)
    if record is None or not record.exact:
        raise AdapterMismatch(
            f"{parent.name}@{parent.version} cannot be made smaller",
            given=f"method: {parent.config['method']}" + (", shrunk already" if record else ""),
            allowed="a version of method full or last-n, as it left training",
        )
    start = time.monotonic()
    state = bench.project.state
    with storage_errors(state), tempfile.TemporaryDirectory(dir=state, prefix=STAGING) as staging:
        folder = Path(staging)
        found = _write(bench, source, folder, record, energy)
        draft = build_manifest(
            bench.registry,
            parent.name,
            folder,
            base=bench.config.base,
            base_fingerprint=bench.files.fingerprint,
            template_hash=parent.template_hash,
            behaviour={**parent.config, "delta": {"of": parent.digest, "rank_energy": energy}},
            data=parent.data,
            training={"seconds": round(time.monotonic() - start, 2), "relative_error": round(found.relative_error, 6)},
            libraries=parent.libraries,
            parents=(parent.digest,),
        )
        manifest = bench.registry.add(draft, folder)
    prepared = bench.prepare(parent.name)
    before = bench.registry.report(parent)
    same_rows = before if before is not None and before.test_digest == prepared.record.test_digest else None
    return Shrunk(manifest, found, (source / WEIGHTS).stat().st_size, bench.evaluate(manifest, prepared), same_rows)


def _write(bench: Workbench, source: Path, folder: Path, record: ParameterDelta, energy: float) -> ParameterDelta:
    """The adapter's files with smaller weights, and a probe of what those answer."""
    module = load_module(bench.files)
    changed = restore_parameters(source / WEIGHTS, record, held_by(module))
    found = write_delta(folder, json.loads((source / CONFIG).read_text(encoding="utf-8")), module, changed, energy)
    for name in (CARD, HEAD):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    probe = read_tensors(source / PROBE)
    inputs = [row[:length].tolist() for row, length in zip(probe["inputs"], probe["lengths"], strict=True)]
    before, after = outputs(module, inputs, bench.files.kind), served_outputs(bench.files, folder, inputs)
    if (folder / HEAD).is_file():
        head = CosineHead(read_tensors(folder / HEAD)["weight"].float(), read_card(folder).head_scale or 1.0)
        with torch.no_grad():
            before, after = head(before), head(after)
    write_probe(folder, inputs, after, before)
    return found
