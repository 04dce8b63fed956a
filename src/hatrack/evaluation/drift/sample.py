"""A sample of requests as numbers, and the reference of a version that is one: kept with it as one safetensors file.

lengths      characters of each input
vectors      embeddings of length one, half precision
confidences  probability of the chosen label, where there are labels
languages, labels   how often each occurs
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hatrack.core.errors import AdapterBroken

__all__ = ["REFERENCE", "Sample"]

REFERENCE = "reference"  # the kind of file that the registry keeps with a version
_METADATA = "hatrack"


@dataclass(frozen=True, eq=False)
class Sample:
    """Requests in numbers. No text is in it.

    Attributes:
        lengths: ``[n]``. vectors: ``[n, d]``. confidences: ``[m]``, empty where nothing is labelled.
        embedder: fingerprint of the encoder that made the vectors.
    """

    lengths: NDArray[np.float64]
    vectors: NDArray[np.float32]
    confidences: NDArray[np.float64]
    languages: Mapping[str, int]
    labels: Mapping[str, int]
    embedder: str

    def save(self, path: Path) -> None:
        """Write one file."""
        known = {"embedder": self.embedder, "languages": dict(self.languages), "labels": dict(self.labels)}
        tensors: dict[str, NDArray[Any]] = {
            "lengths": self.lengths,
            "vectors": self.vectors.astype(np.float16),
            "confidences": self.confidences,
        }
        save_file(tensors, path, metadata={_METADATA: json.dumps(known)})

    @classmethod
    def load(cls, path: Path) -> Sample:
        """Read what ``save`` wrote.

        Raises:
            AdapterBroken: missing or damaged.
        """
        try:
            with safe_open(path, framework="numpy") as stream:
                known = json.loads((stream.metadata() or {})[_METADATA])
                lengths, vectors, confidences = (stream.get_tensor(name) for name in ("lengths", "vectors", "confidences"))
            return cls(lengths, vectors.astype(np.float32), confidences, known["languages"], known["labels"], known["embedder"])
        except (OSError, SafetensorError, ValueError, LookupError) as error:
            raise AdapterBroken(
                "the reference of a version cannot be read", given=f"{path}: {error}", fix="make it again: hatrack drift NAME --reference"
            ) from error
