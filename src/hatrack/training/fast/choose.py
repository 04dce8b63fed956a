"""Which accelerations a run may use: each is tried on its own model and rows before it is used.

An acceleration is exact when loss and gradients of a few unequal rows are those of the plain path. Nothing here knows
an architecture by name: where something does not fit (a state that runs along the line, soft-capped attention, a block
that is not called once), the trial shows it and the plain path stays.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hatrack.core.config_train import FastSettings
from hatrack.core.digest import sha256_json, short
from hatrack.core.errors import TrainingError
from hatrack.training.fast.blocks import find_blocks
from hatrack.training.fast.forward import FastForward
from hatrack.training.fast.hidden import CODE, Rows, build_states, make_room, open_states
from hatrack.training.fast.low_rank import fuse_low_rank
from hatrack.training.fast.products import Product, by_onednn, take_products
from hatrack.training.objectives.base import IGNORED, Collate, Item, Trainee

__all__ = ["Found", "accelerate"]

_LOSS, _GRADIENTS = 1e-4, 1e-3  # largest relative differences that rounding explains, on models of any size
_REFUSALS = (RuntimeError, TypeError, ValueError, KeyError, AttributeError, IndexError, AssertionError)  # what code says that does not fit

Advance = Callable[[int, int], None]


@dataclass
class Found:
    """What was chosen, in words for one line, and why something was not."""

    used: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "; ".join([", ".join(self.used) or "the plain path", *self.left])


def accelerate(
    trainee: Trainee,
    base: nn.Module,
    adapted: nn.Module,
    items: Sequence[Item],
    collate: Collate,
    settings: FastSettings,
    home: Path,
    fingerprint: str,
    advance: Advance = lambda done, total: None,
    *,
    wrapped: bool = False,
) -> Found:
    """Try each acceleration and set ``trainee.fast``.

    Args:
        items: training and validation rows.
        home: where hidden states are kept.
        fingerprint: of the base; part of the key of the hidden states.
        advance: told rows done and rows in all while hidden states are computed.
        wrapped: the model will run inside an engine (FSDP, DeepSpeed) that must see every block being called.

    Raises:
        TrainingError: something was asked for (``on``) that this run cannot have.
        StorageError: hidden states cannot be written.
    """
    found = Found()
    if not trainee.packs or wrapped:
        why = "FSDP or DeepSpeed must see every block" if wrapped else "the task has none"
        _refuse("packing", settings.packing, why, found, say=False)
        _refuse("prefix_cache", settings.prefix_cache, why, found, say=False)
        if wrapped:
            found.left.append(f"no other is possible: {why}")
        return found
    fast = FastForward(base, adapted, find_blocks(base))
    trial = _Trial(trainee, fast, _unequal(items), collate)
    with trial:
        stays = not torch.cuda.is_available()  # else the model is moved when training begins, and what is held beside it is not
        onednn = stays and settings.onednn != "off" and _take_products(adapted, trial, found)
        fused = stays and settings.fused != "off" and _fuse(fast, adapted, trial, found, by_onednn if onednn else nn.functional.linear)
        if settings.packing != "off":
            fast.packing = True
            fast.packing = trial.exact()
            if fast.packing:
                found.used.append("no padding")
            else:
                _refuse("packing", settings.packing, "not exact for this model", found)
        if settings.prefix_cache != "off":
            _cache(fast, trial, items, settings, home, fingerprint, advance, found)
        if settings.label_only != "off" and fast.packing and fast.blocks is not None and trainee.packs == "causal":
            fast.narrowing = True
            fast.narrowing = trial.exact()
            if fast.narrowing:
                found.used.append("last block at labels only")
        in_parts = settings.label_only != "off" and onednn and _lose_in_parts(fast, trial)
    if fused:
        found.used.append("adapters fused")
    if onednn:
        found.used.append("products by oneDNN")
    if in_parts:
        found.used.append("loss in one pass over the head")
    return found


def _take_products(adapted: nn.Module, trial: _Trial, found: Found) -> bool:
    undo = take_products(adapted)
    if undo is None:
        return False
    if not trial.exact():
        undo()
        found.left.append("onednn off: not exact for this model")
        return False
    return True


def _fuse(fast: FastForward, adapted: nn.Module, trial: _Trial, found: Found, product: Product) -> bool:
    # parts of the last block are given less than their neighbours where outputs are wanted at labels only
    undo = fuse_low_rank(adapted, trial.loss, [fast.blocks.last] if fast.blocks else [], product)
    if undo is None:
        return False
    if not trial.exact():
        undo()
        found.left.append("fused off: not exact for this model")
        return False
    return True


def _lose_in_parts(fast: FastForward, trial: _Trial) -> bool:
    if trial.trainee.vocabulary_head() is None:
        return False
    fast.loss_in_parts = by_onednn
    if not trial.exact():
        fast.loss_in_parts = None
    return fast.loss_in_parts is not None


def _cache(
    fast: FastForward,
    trial: _Trial,
    items: Sequence[Item],
    settings: FastSettings,
    home: Path,
    fingerprint: str,
    advance: Advance,
    found: Found,
) -> None:
    depth = fast.blocks.frozen(trial.loss) if fast.blocks is not None else 0
    if depth == 0:
        _refuse("prefix_cache", settings.prefix_cache, "something is trained in the lowest block", found, say=False)
        return
    if trial.random_below(depth):
        why = "dropout is active in the frozen blocks (train.base_dropout: off turns it off)"
        _refuse("prefix_cache", settings.prefix_cache, why, found)
        return
    sequences = [ids for item in items for ids in item.sequences]  # of a pair of answers: both, or all that its loss reads
    rows = Rows.of(sequences, _beginning(items) if trial.trainee.packs == "causal" else 0)
    folder = home / short(sha256_json([CODE, fingerprint, depth, rows.shared, rows.ids]))

    def compute(ids: torch.Tensor, mask: torch.Tensor, shared: int) -> tuple[torch.Tensor, torch.Tensor]:
        return fast.below(ids, mask, shared, depth)

    states = open_states(folder, rows, depth, compute)
    width = trial.width(depth)
    size = rows.tokens * width * 4
    if states is None:
        room = make_room(home, size, settings.cache_gb * 1e9)
        if size > room:
            why = f"hidden states would take {size / 1e9:.1f} GB of disk, of {room / 1e9:.1f} free or allowed (train.fast.cache_gb)"
            _refuse("prefix_cache", settings.prefix_cache, why, found)
            return
        states = build_states(folder, rows, width, depth, compute, lambda done: advance(done, len(rows.ids)))
    fast.states = states
    if trial.exact():
        total = len(fast.blocks or ())
        found.used.append(f"{depth} of {total} blocks computed once ({size / 1e6:.0f} MB on disk)")
    else:
        fast.states = None
        shutil.rmtree(folder, ignore_errors=True)
        _refuse("prefix_cache", settings.prefix_cache, "not exact for this model", found)


def _refuse(key: str, wish: str, why: str, found: Found, *, say: bool = True) -> None:
    if wish == "on":
        raise TrainingError(f"train.fast.{key} cannot be on", given=why, fix=f"set train.fast.{key}: auto")
    if say:
        found.left.append(f"{key} off: {why}")


class _Trial:
    """Compares the fast path with the plain one on a few rows, in evaluation mode, and leaves no trace."""

    def __init__(self, trainee: Trainee, fast: FastForward, items: Sequence[Item], collate: Collate) -> None:
        self.trainee = trainee
        self._fast = fast
        self._batch = collate(items)
        self._batch.pop("rows")
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Trial:
        self._training = self.trainee.training
        self.trainee.eval()
        self._stack.enter_context(_awake(self.trainee))
        self.trainee.fast = None
        self._plain = self._loss_and_gradients()
        self.trainee.fast = self._fast
        self._fast.always = True
        return self

    def __exit__(self, *error: Any) -> None:
        self._fast.always = False
        self._stack.close()
        self.trainee.train(self._training)

    def loss(self) -> torch.Tensor:
        return self.trainee.loss_sum(self._batch)

    def exact(self) -> bool:
        try:
            loss, gradients = self._loss_and_gradients()
        except _REFUSALS:
            return False
        plain_loss, plain = self._plain
        error = sum(float((a - b).square().sum()) for a, b in zip(gradients, plain, strict=True))
        norm = sum(float(b.square().sum()) for b in plain)
        return abs(loss - plain_loss) <= _LOSS * abs(plain_loss) and error <= _GRADIENTS**2 * norm

    def random_below(self, depth: int) -> bool:
        """Whether the states under ``depth`` differ between training and evaluation."""
        with torch.random.fork_rng():
            still = self._below(depth)
            self.trainee.train()
            moved = self._below(depth)
        self.trainee.eval()
        return not torch.equal(still, moved)

    def width(self, depth: int) -> int:
        return self._below(depth).shape[1]

    def _below(self, depth: int) -> torch.Tensor:
        return self._fast.below(self._batch["input_ids"], self._batch["attention_mask"], 0, depth)[1]

    def _loss_and_gradients(self) -> tuple[float, list[torch.Tensor]]:
        trained = [p for p in self.trainee.parameters() if p.requires_grad]
        try:
            with torch.enable_grad():
                loss = self.loss()
                loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
            return float(loss.detach()), [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in trained]
        finally:
            self.trainee.zero_grad()


@contextlib.contextmanager
def _awake(trainee: nn.Module) -> Iterator[None]:
    """Adapters that start as zeros change nothing and pass no gradient on; for the trial they get small numbers."""
    generator = torch.Generator().manual_seed(0)  # of its own: the run's generators stay as they are (F11)
    asleep = [p for p in trainee.parameters() if p.requires_grad and not p.any()]
    with torch.no_grad():
        for parameter in asleep:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter in asleep:
                parameter.zero_()


def _unequal(items: Sequence[Item]) -> list[Item]:
    ordered = sorted(items, key=lambda item: len(item.ids))
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def _beginning(items: Sequence[Item]) -> int:
    """With how many equal tokens all rows begin, before the first output that is needed in any."""
    first = min(next(i for i, label in enumerate(item.labels) if label != IGNORED) for item in items)
    low, high = min(item.ids for item in items), max(item.ids for item in items)  # what these two share, all share
    common = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return max(0, min(common, first - 1, min(len(item.ids) for item in items) - 1))
