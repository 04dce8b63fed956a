"""One forward pass of an adapted base that does only the work its gradients need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from hatrack.training.fast.attention import packed_attention
from hatrack.training.fast.blocks import Blocks
from hatrack.training.fast.hidden import HiddenStates
from hatrack.training.fast.layout import Layout, pack, shared_length
from hatrack.training.fast.products import Product

__all__ = ["FastForward"]

_WORTH = 0.95  # a line at least so much shorter than the padded batch pays for its gathering and scattering
_NARROW = 0.7  # as above, for the positions that the last block is narrowed to


class FastForward:
    """Runs padded batches without their padding, and without the blocks whose outputs are known.

    Args:
        base: the adapted model without PEFT's wrapping.
        adapted: the model as the method gave it.
        blocks: the base's stack; None where it has none that is known.
    """

    def __init__(self, base: nn.Module, adapted: nn.Module, blocks: Blocks | None) -> None:
        self._base: Any = base
        self._adapted: Any = adapted
        self.blocks = blocks
        self.packing = False
        self.always = False  # pack even where it saves nothing: a trial must see what it tries
        self.narrowing = False
        self.by_line = False  # blocks are made for lines: a batch without padding is packed too
        self.multiple = 1  # lines are filled up to
        self.loss_in_parts: Product | None = None  # what multiplies with the parts of the output head
        self.states: HiddenStates | None = None

    def layout(self, ids: torch.Tensor, mask: torch.Tensor, wanted: torch.Tensor | None = None) -> Layout | None:
        """How to pack a batch ``[n, t]``; None where padding it is as good.

        Args:
            ids: tokens, padded on the right.
            mask: 1 where there is one.
            wanted: for causal models, where outputs are needed ``[n, t]``; what all rows share before that is packed once.
        """
        if not self.packing:
            return None
        shared = 0
        if wanted is not None:
            shared = shared_length(ids, mask, wanted)
        layout = pack(ids, mask, shared, self.multiple)
        worth = self.always or self.by_line or self.states is not None or len(layout.ids) < _WORTH * ids.numel()
        return layout if worth else None

    def at(self, layout: Layout, wanted: torch.Tensor) -> torch.Tensor:
        """Where the wanted positions ``[n, t]`` stand in the line, in the order of rows."""
        own = wanted[:, layout.shared :].flatten()[layout.slots]
        return own.nonzero().squeeze(1) + layout.shared

    def run(self, layout: Layout, at: torch.Tensor | None = None, **more: Any) -> Any:
        """The model's output for a line; states are ``[1, total, d]``, and right only ``at`` these positions if given."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(packed_attention(self._base))
            if self.states is not None:
                stack.enter_context(self._blocks.given(self.states.line(layout), self.states.depth))
            if self.narrowing and at is not None and len(at) < _NARROW * len(layout.ids):
                stack.enter_context(self._blocks.narrowed(at))
            return self._adapted(input_ids=layout.ids[None], position_ids=layout.positions[None], layout=layout, **more)

    @contextlib.contextmanager
    def padded(self, ids: torch.Tensor, mask: torch.Tensor) -> Iterator[None]:
        """For a batch that runs with its padding: known states ``[n, t, d]`` are taken all the same."""
        if self.states is None:
            yield
            return
        with self._blocks.given(self.states.grid(ids, mask), self.states.depth):
            yield

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """As the model itself, for encoders: ``last_hidden_state`` is ``[n, t, d]``, zero on padding."""
        layout = self.layout(input_ids, attention_mask)
        if layout is not None:
            return SimpleNamespace(last_hidden_state=layout.grid(self.run(layout).last_hidden_state[0]))
        with self.padded(input_ids, attention_mask):
            return self._adapted(input_ids=input_ids, attention_mask=attention_mask)

    @torch.no_grad()
    def below(self, ids: torch.Tensor, mask: torch.Tensor, shared: int, depth: int) -> tuple[torch.Tensor, torch.Tensor]:
        """States that block ``depth`` is given: the shared tokens' ``[shared, d]`` and the own tokens' ``[own, d]``."""
        layout = pack(ids, mask, shared, self.multiple) if self.packing else None
        with self._blocks.captured(depth) as taken:
            if layout is not None:
                with packed_attention(self._base):
                    self._adapted(input_ids=layout.ids[None], position_ids=layout.positions[None], layout=layout)
            else:
                self._adapted(input_ids=ids, attention_mask=mask)
        if layout is not None:
            return taken[0][0, :shared], taken[0][0, shared : len(layout.ids) - layout.spare]
        return taken[0][0, :shared], taken[0][:, shared:][mask[:, shared:].bool()]

    @property
    def _blocks(self) -> Blocks:
        if self.blocks is None:
            raise NotImplementedError("the base has no stack of blocks")
        return self.blocks
