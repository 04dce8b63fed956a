"""Changed parameters of a loaded base as differences to it: the weights file of an adapter of the form ``delta``.

    data/NAME           the difference to the base's parameter, or the parameter itself where the base has none
    left/NAME, right/   the factors of a low-rank difference

The record in the file's metadata holds a SHA-256 over all parameters as they are restored. A file that is damaged, and a
base that is another one, both give another.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hatrack.core.errors import AdapterBroken
from hatrack.models.delta.coding import Bytes
from hatrack.models.delta.record import Coding, Part
from hatrack.models.delta.tensor_file import Entry
from hatrack.models.delta.tensors import Coded, decode_tensor

__all__ = ["Held", "ParameterDelta", "read_record", "restore_parameters", "write_parameters"]

Held = Callable[[str], torch.Tensor | None]  # the base's own parameter of a name, in float32

_METADATA = "hatrack"


class ParameterDelta(BaseModel):
    """What the weights file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.parameters/1"] = "hatrack.parameters/1"
    fingerprint: str = Field(description="SHA-256 over name, shape and bytes of every restored parameter.")
    exact: bool = Field(description="What is restored is what was trained, bit for bit.")
    shapes: dict[str, tuple[int, ...]] = Field(description="Every changed parameter, all in float32.")
    codings: dict[str, Coding] = Field(description="How each is kept.")
    scales: dict[str, float] = Field(description="Parameter to the scale of its low-rank factors.")
    bytes_tuned: int = Field(description="Size of the parameters.")
    bytes_coded: int = Field(description="Size of the same in the file.")
    relative_error: float = Field(description="Norm of what the restored differences miss, over the norm of all differences.")


def write_parameters(path: Path, held: Held, changed: Mapping[str, torch.Tensor], rank_energy: float | None = None) -> ParameterDelta:
    """Write ``changed`` as differences to the base; they are restored once before, and the record says what came of it.

    Args:
        rank_energy: share of each matrix's squared difference to keep, at the smallest rank; None: exact.
    """
    coded = Coded(rank_energy)
    entries = {name: _entry(name, tuple(changed[name].shape)) for name in sorted(changed)}
    codings = {name: coded.add(name, entry, _bytes(changed[name]), _like(held, entry)) for name, entry in entries.items()}
    draft = ParameterDelta(
        fingerprint="",
        exact=not coded.scales,
        shapes={name: entry.shape for name, entry in entries.items()},
        codings=codings,
        scales=coded.scales,
        bytes_tuned=coded.bytes_tuned,
        bytes_coded=sum(part.nbytes for part in coded.parts.values()),
        relative_error=coded.relative_error,
    )
    _, fingerprint = _restored(draft, held, coded.parts.__getitem__)
    record = draft.model_copy(update={"fingerprint": fingerprint})
    save_file(coded.parts, path, metadata={_METADATA: record.model_dump_json()})
    return record


def read_record(path: Path) -> ParameterDelta | None:
    """The record of a weights file; None where it is none of these, or no whole file.

    Raises:
        AdapterBroken: it says that it is one, and its record is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            text = (stream.metadata() or {}).get(_METADATA, "")
    except (OSError, SafetensorError):
        return None
    if "hatrack.parameters/" not in text:
        return None
    try:
        return ParameterDelta.model_validate_json(text)
    except ValidationError as error:
        raise _broken(path, str(error).splitlines()[0]) from error


def restore_parameters(path: Path, record: ParameterDelta, held: Held) -> dict[str, torch.Tensor]:
    """The changed parameters, checked by fingerprint.

    Raises:
        AdapterBroken: the file is damaged, or was made for another base (F19).
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            found, fingerprint = _restored(record, held, stream.get_tensor)
    except (OSError, SafetensorError, ValueError, LookupError, zlib.error) as error:
        raise _broken(path, str(error).splitlines()[0]) from error
    if fingerprint != record.fingerprint:
        raise _broken(path, f"fingerprint {fingerprint[:12]} instead of {record.fingerprint[:12]}")
    return found


def _restored(record: ParameterDelta, held: Held, part: Callable[[str], Part]) -> tuple[dict[str, torch.Tensor], str]:
    found, digest = {}, hashlib.sha256()
    for name, shape in record.shapes.items():
        entry = _entry(name, shape)
        data = decode_tensor(name, entry, record.codings[name], _like(held, entry), record.scales, part)
        digest.update(f"{name} {shape}\n".encode())
        digest.update(data)
        found[name] = torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape)
    return found, digest.hexdigest()


def _entry(name: str, shape: tuple[int, ...]) -> Entry:
    return Entry(name, "F32", shape, 0, 4 * int(np.prod(shape)))


def _like(held: Held, entry: Entry) -> Bytes | None:
    own = held(entry.name)
    return None if own is None or tuple(own.shape) != entry.shape else _bytes(own)


def _bytes(tensor: torch.Tensor) -> Bytes:
    found: Bytes = tensor.detach().to("cpu", torch.float32).contiguous().numpy().reshape(-1).view(np.uint8)
    return found


def _broken(path: Path, given: str) -> AdapterBroken:
    return AdapterBroken(
        f"{path.name} does not give the tuned weights back",
        given=given,
        allowed="the base it was trained on, and the file as training wrote it",
        fix="use that base, or restore the file from a backup",
    )
