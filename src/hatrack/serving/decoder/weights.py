"""Tensors of a base model, read one by one, so that not all of them need lie in memory at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from hatrack.core.errors import ModelCorrupt
from hatrack.models.loading import BaseModelFiles

__all__ = ["Weights"]


class Weights:
    """Tensors of a model's safetensors files by name, in float32."""

    def __init__(self, files: BaseModelFiles) -> None:
        self._folder = files.folder
        self._files: dict[str, Any] = {}
        for path in sorted(files.folder.glob("*.safetensors")):
            opened: Any = safe_open(str(path), framework="pt")
            for name in opened.keys():  # noqa: SIM118  # not a dict
                self._files[name] = opened

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name."""
        return name in self._files

    def get(self, name: str) -> torch.Tensor:
        """One tensor.

        Raises:
            ModelCorrupt: there is none.
        """
        if name not in self._files:
            raise ModelCorrupt("the base model lacks a weight", given=name, fix=f"download it again into {self._folder}")
        tensor: torch.Tensor = self._files[name].get_tensor(name).float()
        return tensor

    def array(self, name: str) -> np.ndarray:
        """One tensor as a numpy array."""
        return self.get(name).numpy()
