"""A tuned model against its base, tensor by tensor: what is equal, what differs, what is new."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from hatrack.models.delta.coding import FLOATS, Bytes, decode_low_rank, encode_difference, low_rank, pack
from hatrack.models.delta.record import Coding, Delta, Part, model_files
from hatrack.models.delta.tensor_file import Entry, TensorFile, open_tensors
from hatrack.models.loading import BaseModelFiles

__all__ = ["as_tensor", "base_tensors", "encode_model"]


def encode_model(base: BaseModelFiles, tuned: Path, rank_energy: float | None) -> tuple[Delta, dict[str, Part]]:
    """The record of a delta, its digests still empty, and the byte tensors that belong to it.

    Raises:
        ModelCorrupt: weights that cannot be read.
    """
    known = base_tensors(base)
    weights, plain, left_out = model_files(tuned)
    parts: dict[str, Part] = {}
    coded = _Coded(parts, rank_energy)
    tensors = {}
    for path in weights:
        file = open_tensors(path)
        parts[f"header/{path.name}"] = pack(file.header)
        tensors[path.name] = {entry.name: coded.add(file, entry, known.get(entry.name)) for entry in file.entries}
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
        relative_error=math.sqrt(coded.missed / coded.moved) if coded.moved else 0.0,
    )
    return delta, parts


def base_tensors(base: BaseModelFiles) -> dict[str, tuple[TensorFile, Entry]]:
    """Every tensor of the base by name."""
    files = [open_tensors(path) for path in sorted(base.folder.glob("*.safetensors"))]
    return {entry.name: (file, entry) for file in files for entry in file.entries}


def as_tensor(data: Bytes, entry: Entry) -> torch.Tensor:
    """Bytes as the floating-point tensor they are."""
    return torch.frombuffer(bytearray(data.tobytes()), dtype=FLOATS[entry.dtype]).reshape(entry.shape)


class _Coded:
    """Byte tensors as they come, and the sums that the record reports."""

    def __init__(self, parts: dict[str, Part], rank_energy: float | None) -> None:
        self.parts = parts
        self.scales: dict[str, float] = {}
        self.bytes_tuned = 0
        self.moved = 0.0  # squared norms: of all differences, and of what a low rank misses
        self.missed = 0.0
        self._energy = rank_energy

    def add(self, file: TensorFile, entry: Entry, like: tuple[TensorFile, Entry] | None) -> Coding:
        key = f"{file.path.name}/{entry.name}"
        data = file.data(entry)
        self.bytes_tuned += data.nbytes
        if like is None or (like[1].dtype, like[1].shape) != (entry.dtype, entry.shape):
            self.parts[f"data/{key}"] = pack(data)
            return "whole"
        base = like[0].data(like[1])
        if np.array_equal(base, data):
            return "same"
        exact = encode_difference(base, data, entry.width)
        if self._energy is not None and entry.dtype in FLOATS and len(entry.shape) == 2:
            before, after = as_tensor(base, entry), as_tensor(data, entry)
            found = low_rank(before, after, self._energy)
            self.moved += float((after.double() - before.double()).square().sum())
            if found is not None and 2 * (found.left.numel() + found.right.numel()) < exact.nbytes:
                restored = decode_low_rank(before, found)
                self.missed += float((after.double() - restored.double()).square().sum())
                self.parts[f"left/{key}"], self.parts[f"right/{key}"] = found.left.numpy(), found.right.numpy()
                self.scales[key] = found.scale
                return "low-rank"
        self.parts[f"data/{key}"] = exact
        return "difference"


def _same_as_base(path: Path, folder: Path) -> bool:
    own = folder / path.name
    return own.is_file() and own.read_bytes() == path.read_bytes()
