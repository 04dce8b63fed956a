"""Rotary embeddings (Su et al. 2021): the cosines and sines of a model's frequencies."""

from __future__ import annotations

import numpy as np

from hatrack.models.loading import BaseModelFiles
from hatrack.serving.decoder.shape import rotary

__all__ = ["rotary_table"]


def rotary_table(files: BaseModelFiles, head: int, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines ``[positions, head / 2]``."""
    inverse, gain = _frequencies(files, head)
    angles = np.arange(positions, dtype=np.float32)[:, None] * inverse.astype(np.float32)
    return (np.cos(angles) * gain).astype(np.float32), (np.sin(angles) * gain).astype(np.float32)


def _frequencies(files: BaseModelFiles, head: int) -> tuple[np.ndarray, float]:
    """Of each pair of numbers in a head, and what all are multiplied with.

    The plain ones are computed here, as loading transformers' config classes takes a second of every start; whatever is scaled,
    or left to a class's own default, is what transformers says.
    """
    found = rotary(files.config)
    theta = found.get("rope_theta") or files.config.get("rope_theta")
    if found.get("rope_type", "default") == "default" and theta:
        return _plain(float(theta), head), 1.0
    from transformers import AutoConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = AutoConfig.from_pretrained(str(files.folder), local_files_only=True, trust_remote_code=False)
    full = rotary(config.to_dict())
    kind = full.get("rope_type", "default")
    if kind == "default":
        return _plain(float(full.get("rope_theta") or getattr(config, "rope_theta", None) or 10000.0), head), 1.0
    frequencies, gain = ROPE_INIT_FUNCTIONS[kind](config, "cpu")
    return frequencies.numpy(), gain


def _plain(theta: float, head: int) -> np.ndarray:
    frequencies: np.ndarray = 1.0 / theta ** (np.arange(0, head, 2, dtype=np.float32) / head)
    return frequencies
