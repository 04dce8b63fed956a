"""Rows without padding: all tokens of a batch as one line, with a note of where each belongs.

    rows   S S S a a a          line   S S S a a a b c c c c
           S S S b                     └ P ┘ └ n rows' own ┘
           S S S c c c c

What all rows begin with (a system prompt, a chat header) stands in the line once: in a causal model a token's state
depends on the tokens before it alone, so it is the same in every row. Only attention needs to know of rows; everything
else in a transformer works token by token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

__all__ = ["Layout", "pack", "shared_length"]


@dataclass
class Layout:
    """A packed batch.

    Attributes:
        ids: tokens of the line ``[total]``: the shared ones, then those of each row, then some of no row.
        positions: position of each within its row ``[total]``; it restarts with every row (F14).
        shared: how many tokens at the front belong to all rows.
        rows: how many rows.
        longest: own tokens of the longest row.
        lengths: own tokens of each row.
        slots: where each own token stands in ``rows x longest``, flattened: ``[total - shared - spare]``.
        spare: how many tokens at the end belong to no row.
        notes: what is worked out once for all blocks.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    shared: int
    rows: int
    longest: int
    lengths: list[int]
    slots: torch.Tensor
    spare: int = 0
    notes: dict[Any, Any] = field(default_factory=dict)

    def grid(self, line: torch.Tensor) -> torch.Tensor:
        """Own tokens as rows, zero where a row is over: ``[total - shared, d]`` to ``[rows, longest, d]``."""
        line = line[: len(self.slots)]
        if len(line) == self.rows * self.longest:
            return line.view(self.rows, self.longest, -1)
        empty = line.new_zeros(self.rows * self.longest, line.shape[1])
        return empty.index_copy(0, self.slots, line).view(self.rows, self.longest, -1)

    def line(self, grid: torch.Tensor) -> torch.Tensor:
        """The way back: ``[rows, longest, d]`` to ``[total - shared, d]``."""
        flat = grid.reshape(self.rows * self.longest, -1)
        own = flat if len(self.slots) == len(flat) else flat.index_select(0, self.slots)
        return torch.nn.functional.pad(own, (0, 0, 0, self.spare)) if self.spare else own

    def mask(self, causal: bool, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
        """What an own token may not look at, as numbers to add: ``[rows or 1, 1, longest or 1, shared + longest]``.

        None where plain causal attention says the same.
        """
        key = (causal, window)
        if key not in self.notes:
            self.notes[key] = self._make_mask(causal, window, dtype)
        made: torch.Tensor | None = self.notes[key]
        return made

    def _make_mask(self, causal: bool, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
        width = self.shared + self.longest
        if not causal:
            real = torch.zeros(self.rows * self.longest, dtype=torch.bool, device=self.ids.device)
            real[self.slots] = True
            seen = real.view(self.rows, 1, 1, self.longest)
        elif self.shared == 0 and (window is None or window >= width):
            return None
        else:  # rows are padded at their end: a real token sees no padding before it
            distance = torch.arange(self.shared, width)[:, None] - torch.arange(width)[None, :]
            seen = ((distance >= 0) & (distance < (window or width)))[None, None].to(self.ids.device)
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)


def shared_length(ids: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor) -> int:
    """With how many equal tokens all rows ``[n, t]`` begin, before the first position whose output is wanted in any row."""
    if len(ids) < 2:
        return 0
    same = (ids == ids[0]).all(0) & mask.bool().all(0) & ~wanted.any(0)
    length = int(same.long().cumprod(0).sum())
    return min(length, int(mask.sum(1).min()) - 1)


def pack(ids: torch.Tensor, mask: torch.Tensor, shared: int = 0, multiple: int = 1) -> Layout:
    """A layout for right-padded rows: ``ids`` and ``mask`` are ``[n, t]``; the first ``shared`` columns are equal.

    Tokens of no row fill the line up to a ``multiple``; nothing sees them.
    """
    own = mask[:, shared:].bool()
    rows, longest = own.shape
    slots = own.flatten().nonzero().squeeze(1)
    columns = torch.arange(shared, shared + longest, device=ids.device).expand(rows, -1).flatten()
    spare = -(shared + len(slots)) % multiple
    nobody = ids.new_zeros(spare)
    return Layout(
        ids=torch.cat([ids[0, :shared], ids[:, shared:].flatten()[slots], nobody]),
        positions=torch.cat([torch.arange(shared, device=ids.device), columns[slots], nobody]),
        shared=shared,
        rows=rows,
        longest=longest,
        lengths=own.sum(1).tolist(),
        slots=slots,
        spare=spare,
    )
