"""What an adapter's requests are about: a few centroids of their embeddings, and how near a text must be to count as one.

Learned once for a version by a workflow, kept with it as one safetensors file, and read by routing, which needs nothing
of what made it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken

__all__ = ["CONTENT", "ContentFigures", "ContentProfile"]

CONTENT = "content"  # the kind of file that the registry keeps with a version
_METADATA = "hatrack"


@dataclass(frozen=True)
class ContentFigures:
    """How the threshold was chosen, and what it does on texts that no centroid was made of.

    Attributes:
        embedder: fingerprint of the encoder; vectors of another one mean nothing here.
        threshold: cosine similarity to the nearest centroid from which a text is the adapter's.
        kept: share of ``own`` held-out inputs of the adapter that reach it.
        sent_away: share of ``foreign`` texts that do not.
    """

    embedder: str
    threshold: float
    kept: float
    own: int
    sent_away: float
    foreign: int


@dataclass(frozen=True, eq=False)
class ContentProfile:
    """Centroids of length one, float32 ``[k, d]``, and the figures that belong to them."""

    centroids: NDArray[np.float32]
    figures: ContentFigures

    def similarity(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine to the nearest centroid, ``[texts]``, of embeddings of length one, ``[texts, d]``."""
        nearest: NDArray[np.float32] = (vectors @ self.centroids.T).max(axis=1)
        return nearest

    def save(self, path: Path) -> None:
        """Write one safetensors file."""
        save_file({"centroids": self.centroids}, path, metadata={_METADATA: json.dumps(asdict(self.figures))})

    @classmethod
    def load(cls, path: Path) -> ContentProfile:
        """Read what ``save`` wrote, from a file that is named by its SHA-256.

        Raises:
            AdapterBroken: missing or damaged.
        """
        try:
            whole = sha256_file(path) == path.name
            with safe_open(path, framework="numpy") as stream:
                figures = json.loads((stream.metadata() or {})[_METADATA])
                known = {field.name: figures[field.name] for field in fields(ContentFigures)}
                profile = cls(stream.get_tensor("centroids"), ContentFigures(**known))
        except (OSError, SafetensorError, ValueError, LookupError) as error:
            raise _broken(path, str(error)) from error
        if not whole:
            raise _broken(path, "its content is not what its name says")
        return profile


def _broken(path: Path, why: str) -> AdapterBroken:
    return AdapterBroken("what a version's requests are about cannot be read", given=f"{path}: {why}", fix="run `hatrack route --learn`")
