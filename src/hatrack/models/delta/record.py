"""What a delta says of itself, and which files of a model it speaks of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["Coding", "Delta", "Part", "model_files"]

Coding = Literal["same", "difference", "whole", "low-rank"]
Part = npt.NDArray[Any]  # bytes, or the 16-bit integers of a low-rank factor

_WEIGHTS = ".safetensors"
_PLAIN = (".json", ".txt", ".model", ".jinja", ".md")  # nothing that could run as code (F22)


class Delta(BaseModel):
    """The record in a delta file's metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.delta/1"] = "hatrack.delta/1"
    base: str = Field(description="Fingerprint of the base.")
    fingerprint: str = Field(description="Fingerprint of the model that is restored.")
    exact: bool = Field(description="The restored model is the tuned one, bit for bit.")
    files: dict[str, str] = Field(description="Every restored file and its SHA-256.")
    tensors: dict[str, dict[str, Coding]] = Field(description="Weights file, tensor, and how it is coded.")
    scales: dict[str, float] = Field(description="FILE/TENSOR to the scale of its low-rank factors.")
    plain: tuple[str, ...] = Field(description="Other files that are in the delta; the rest are the base's own.")
    left_out: tuple[str, ...] = Field(description="Files of the tuned folder that are no part of a model.")
    bytes_tuned: int = Field(description="Size of the tuned model's tensors.")
    bytes_coded: int = Field(description="Size of the same in the delta.")
    relative_error: float = Field(description="Norm of what the restored differences miss, over the norm of all differences.")

    @field_validator("files")
    @classmethod
    def _names_stay_in_their_folder(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            if Path(name).name != name or name.startswith(".") or Path(name).suffix not in (_WEIGHTS, *_PLAIN):
                raise ValueError(f"{name!r} is no name of a model's file")
        return files


def model_files(folder: Path) -> tuple[list[Path], list[Path], list[str]]:
    """The weights, the other files of a model, and the names of what is neither."""
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    weights = [path for path in found if path.is_file() and path.suffix == _WEIGHTS]
    plain = [path for path in found if path.is_file() and path.suffix in _PLAIN]
    return weights, plain, [path.name for path in found if path not in weights and path not in plain]
