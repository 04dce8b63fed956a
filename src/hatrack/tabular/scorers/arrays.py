"""Arrays of a stored model: safetensors, checked when they are read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hatrack.core.errors import AdapterBroken

__all__ = ["broken", "read_arrays", "write_arrays"]


def write_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]], link: str) -> None:
    """One file; ``link`` stands in its metadata."""
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path, metadata={"link": link})


def read_arrays(path: Path, names: Collection[str]) -> tuple[dict[str, npt.NDArray[Any]], str]:
    """The arrays called ``names``, and the link.

    Raises:
        AdapterBroken: the file is missing, damaged or another one's, or holds NaN where a model has none.
    """
    try:
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in names}
            link = file.metadata()["link"]
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise broken(path, str(error).splitlines()[0]) from error
    bad = [name for name, array in arrays.items() if array.dtype.kind == "f" and np.isnan(array).any()]
    if bad:
        raise broken(path, f"NaN in {', '.join(bad)}")
    return arrays, link


def broken(path: Path, reason: str) -> AdapterBroken:
    """The error of a file that cannot be used."""
    return AdapterBroken("a file of this table model is damaged", given=f"{path.name}: {reason}", fix="train it again, or restore the file")
