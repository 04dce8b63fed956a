"""Blends: the mean of several models' margins, each brought to the same spread. SHAP values add up, so reasons stay exact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import numpy as np

from hatrack.tabular.scorers.arrays import broken, read_arrays, write_arrays
from hatrack.tabular.scorers.base import SCORERS, Array, Link, Scorer

__all__ = ["BlendScorer"]


@dataclass(frozen=True)
class BlendScorer:
    """``margin = shift + Σ weight · margin of a member``.

    Attributes:
        weights: [members, outputs]
        shift: [outputs]
    """

    members: tuple[Scorer, ...]
    weights: Array
    shift: Array
    link: Link
    kind = "blend"

    def margins(self, matrix: Array) -> Array:
        parts = (member.margins(matrix) * weight for member, weight in zip(self.members, self.weights, strict=True))
        found: Array = self.shift + sum(parts)
        return found

    def contributions(self, matrix: Array) -> tuple[Array, Array]:
        values, start = np.zeros((len(matrix), len(self.shift), matrix.shape[1])), self.shift
        for member, weight in zip(self.members, self.weights, strict=True):
            part, mean = member.contributions(matrix)
            values, start = values + part * weight[:, None], start + mean * weight
        return values, start

    def save(self, folder: Path, name: str) -> None:
        for number, member in enumerate(self.members):
            member.save(folder, f"{name}-{number}-{member.kind}")
        write_arrays(folder / f"{name}.safetensors", {"weights": self.weights, "shift": self.shift}, self.link)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        path = folder / f"{name}.safetensors"
        arrays, link = read_arrays(path, ("weights", "shift"))
        members = []
        for number in range(len(arrays["weights"])):
            found = sorted(folder.glob(f"{name}-{number}-*"))
            kind = found[0].name.removeprefix(f"{name}-{number}-").split(".")[0] if found else ""
            if kind not in SCORERS.names() or kind == cls.kind:
                raise broken(path, f"member {number} is not there")
            members.append(SCORERS.get(kind).load(folder, f"{name}-{number}-{kind}"))
        return cls(tuple(members), arrays["weights"], arrays["shift"], cast(Link, link))
