"""A tuned model against its base, tensor by tensor: what is equal, what differs, what is new."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hatrack.models.delta.coding import Bytes, pack
from hatrack.models.delta.record import Delta, Part, model_files
from hatrack.models.delta.tensor_file import Entry, TensorFile, open_tensors
from hatrack.models.delta.tensors import Coded
from hatrack.models.loading import BaseModelFiles

__all__ = ["base_tensors", "encode_model", "like"]


def encode_model(base: BaseModelFiles, tuned: Path, rank_energy: float | None) -> tuple[Delta, dict[str, Part]]:
    """The record of a delta, its digests still empty, and the byte tensors that belong to it.

    Raises:
        ModelCorrupt: weights that cannot be read.
    """
    known = base_tensors(base)
    weights, plain, left_out = model_files(tuned)
    coded = Coded(rank_energy)
    parts = coded.parts
    tensors = {}
    for path in weights:
        file = open_tensors(path)
        parts[f"header/{path.name}"] = pack(file.header)
        tensors[path.name] = {
            entry.name: coded.add(f"{path.name}/{entry.name}", entry, file.data(entry), like(entry, known)) for entry in file.entries
        }
    stored = [path for path in plain if not _same_as_base(path, base.folder)]
    for path in stored:
        parts[f"plain/{path.name}"] = pack(path.read_bytes())
    delta = Delta(
        base=base.fingerprint,
        fingerprint="",
        exact=not coded.scales,
        files={path.name: "" for path in (*weights, *plain)},
        tensors=tensors,
        scales=coded.scales,
        plain=tuple(path.name for path in stored),
        left_out=tuple(left_out),
        bytes_tuned=coded.bytes_tuned,
        bytes_coded=sum(part.nbytes for part in parts.values()),
        relative_error=coded.relative_error,
    )
    return delta, parts


def base_tensors(base: BaseModelFiles) -> dict[str, tuple[TensorFile, Entry]]:
    """Every tensor of the base by name."""
    files = [open_tensors(path) for path in sorted(base.folder.glob("*.safetensors"))]
    return {entry.name: (file, entry) for file in files for entry in file.entries}


def like(entry: Entry, known: Mapping[str, tuple[TensorFile, Entry]]) -> Bytes | None:
    """The bytes of the base's tensor of the same name, type and shape; None where it has none."""
    file, own = known.get(entry.name, (None, None))
    if file is None or own is None or (own.dtype, own.shape) != (entry.dtype, entry.shape):
        return None
    return file.data(own)


def _same_as_base(path: Path, folder: Path) -> bool:
    own = folder / path.name
    return own.is_file() and own.read_bytes() == path.read_bytes()
