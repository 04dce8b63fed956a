"""What every kind of column does. An encoder is a frozen record: it lies in the model's JSON file and needs no library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

__all__ = ["Array", "Column"]

Array = npt.NDArray[np.float64]


class Column(BaseModel):
    """One column of the table, as the model reads it. ``kind`` tells the kinds apart in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    name: str

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the numbers that the column becomes."""
        raise NotImplementedError

    def encode(self, cells: Sequence[Any]) -> Array:
        """``[rows, features]``, NaN where nothing is known.

        Raises:
            ValueError: a cell for which ``fault`` has a reason.
        """
        raise NotImplementedError

    def fault(self, cell: Any) -> str | None:
        """Why this cell cannot be used; None where it can."""
        raise NotImplementedError

    def note(self, cell: Any) -> str | None:
        """What is remarkable in a cell that can be used; None where nothing is."""
        return None

    def alternatives(self) -> tuple[Any, ...]:
        """Cells that could stand here instead, from what was seen in training: for dependence and counterfactuals."""
        return ()
