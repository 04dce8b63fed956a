"""Which accelerations a run may use: they are tried on its own model and rows before they are used.

An acceleration is exact when loss and gradients of a few unequal rows are those of the plain path. Nothing here knows
an architecture by name: where something does not fit (a state that runs along the line, soft-capped attention, a block
that is not called once), the trial shows it and the plain path stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import nn

from hatrack.core.config_train import FastSettings
from hatrack.core.digest import sha256_json, short
from hatrack.core.errors import TrainingError
from hatrack.training.fast.blocks import find_blocks
from hatrack.training.fast.forward import FastForward
from hatrack.training.fast.fused_block import fuse_blocks
from hatrack.training.fast.hidden import CODE, Rows, build_states, make_room, open_states
from hatrack.training.fast.low_rank import fuse_low_rank
from hatrack.training.fast.products import MULTIPLE, Product, by_onednn, take_products
from hatrack.training.fast.trial import REFUSALS, Trial
from hatrack.training.objectives.base import IGNORED, Collate, Item, Trainee

__all__ = ["Found", "accelerate"]

Advance = Callable[[int, int], None]
_NOT_EXACT = "not exact for this model"
_ORDER = ("packing", "prefix_cache", "label_only", "fused", "blocks", "onednn", "head")  # in which they are told


@dataclass
class Found:
    """What was chosen, in words for one line, and why something was not."""

    words: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    @property
    def used(self) -> list[str]:
        """One phrase for each."""
        return [self.words[name] for name in _ORDER if name in self.words]

    def __str__(self) -> str:
        return "; ".join([", ".join(self.used) or "the plain path", *self.left])


@dataclass(frozen=True)
class _On:
    """An acceleration that was switched on, and has still to be proven.

    Attributes:
        name: one of ``_ORDER``.
        words: for the line.
        undo: switches it off.
        drop: removes what it has kept, when it was the one that is not exact.
        wish: what the settings say of it.
        say: whether a refusal is worth a phrase.
    """

    name: str
    words: str
    undo: Callable[[], object]
    drop: Callable[[], object] = lambda: None
    wish: str = "auto"
    say: bool = True


@dataclass(frozen=True)
class _Run:
    """What is to be made faster."""

    trainee: Trainee
    adapted: nn.Module
    items: Sequence[Item]
    settings: FastSettings
    home: Path
    fingerprint: str
    advance: Advance
    fast: FastForward
    trial: Trial
    found: Found = field(default_factory=Found)

    @property
    def stays(self) -> bool:
        """Else the model is moved when training begins, and what is held beside it is not."""
        return not torch.cuda.is_available()

    @property
    def product(self) -> Product:
        return by_onednn if "onednn" in self.found.words else nn.functional.linear


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
    if not trainee.packs or wrapped:
        found = Found()
        why = "FSDP or DeepSpeed must see every block" if wrapped else "the task has none"
        _refuse("packing", settings.packing, why, found, say=False)
        _refuse("prefix_cache", settings.prefix_cache, why, found, say=False)
        if wrapped:
            found.left.append(f"no other is possible: {why}")
        return found
    fast = FastForward(base, adapted, find_blocks(base))
    with Trial(trainee, fast, _unequal(items), collate) as trial:
        run = _Run(trainee, adapted, items, settings, home, fingerprint, advance, fast, trial)
        _prove(run, (_take_products, _pack, _fuse_blocks, _fuse))
        _prove(run, (_cache, _narrow, _lose_in_parts))
    return run.found


def _prove(run: _Run, steps: Sequence[Callable[[_Run], _On | None]]) -> None:
    """Switch on what is exact: all at once where that is, else one after the other."""
    before = dict(run.found.words), list(run.found.left)
    switched: list[_On] = []
    try:
        for step in steps:
            on = step(run)
            if on is not None:
                switched.append(on)
                run.found.words[on.name] = on.words
        if not switched or run.trial.exact():
            return
    except REFUSALS:  # of a pass over something that does not fit
        pass
    for on in reversed(switched):
        on.undo()
    run.found.words, run.found.left = before
    for step in steps:
        on = step(run)
        if on is None:
            continue
        if run.trial.exact():
            run.found.words[on.name] = on.words
        else:
            on.undo()
            on.drop()
            _refuse(on.name, on.wish, _NOT_EXACT, run.found, say=on.say)


def _take_products(run: _Run) -> _On | None:
    fast = run.fast
    give_back = take_products(run.adapted) if run.stays and run.settings.onednn != "off" else None
    if give_back is None:
        return None
    fast.multiple = 2 * MULTIPLE  # a product for each length of a line would be compiled anew too often

    def undo() -> None:
        fast.multiple = 1
        give_back()

    return _On("onednn", "products by oneDNN", undo)


def _pack(run: _Run) -> _On | None:
    if run.settings.packing == "off":
        return None
    run.fast.packing = True
    return _On("packing", "no padding", partial(setattr, run.fast, "packing", False), wish=run.settings.packing)


def _fuse_blocks(run: _Run) -> _On | None:
    if not run.stays or run.settings.fused == "off" or not run.fast.packing or run.fast.blocks is None:
        return None
    fast = run.fast
    unfuse = fuse_blocks(run.adapted, run.fast.blocks.below_last, run.trial.loss_in_training, run.product)
    if unfuse is None:
        return None
    fast.by_line = True

    def undo() -> None:
        fast.by_line = False
        unfuse()

    return _On("blocks", "blocks fused", undo, say=False)


def _fuse(run: _Run) -> _On | None:
    if not run.stays or run.settings.fused == "off":
        return None
    # parts of the last block are given less than their neighbours where outputs are wanted at labels only
    undo = fuse_low_rank(run.adapted, run.trial.loss, [run.fast.blocks.last] if run.fast.blocks else [], run.product)
    return _On("fused", "adapters fused", undo) if undo else None


def _narrow(run: _Run) -> _On | None:
    if run.settings.label_only == "off" or not run.fast.packing or run.fast.blocks is None or run.trainee.packs != "causal":
        return None
    run.fast.narrowing = True
    return _On("label_only", "last block at labels only", partial(setattr, run.fast, "narrowing", False), say=False)


def _lose_in_parts(run: _Run) -> _On | None:
    if run.settings.label_only == "off" or "onednn" not in run.found.words or run.trainee.vocabulary_head() is None:
        return None
    run.fast.loss_in_parts = by_onednn
    return _On("head", "loss in one pass over the head", partial(setattr, run.fast, "loss_in_parts", None), say=False)


def _cache(run: _Run) -> _On | None:
    fast, trial, settings = run.fast, run.trial, run.settings
    wish = settings.prefix_cache
    if wish == "off":
        return None
    depth = fast.blocks.frozen(trial.loss) if fast.blocks is not None else 0
    if depth == 0:
        _refuse("prefix_cache", wish, "something is trained in the lowest block", run.found, say=False)
        return None
    width, random = trial.states_below(depth)
    if random:
        why = "dropout is active in the frozen blocks (train.base_dropout: off turns it off)"
        _refuse("prefix_cache", wish, why, run.found)
        return None
    sequences = [ids for item in run.items for ids in item.sequences]  # of a pair of answers: both, or all that its loss reads
    rows = Rows.of(sequences, _beginning(run.items) if run.trainee.packs == "causal" else 0)
    folder = run.home / short(sha256_json([CODE, run.fingerprint, depth, rows.shared, rows.ids]))

    def compute(ids: torch.Tensor, mask: torch.Tensor, shared: int) -> tuple[torch.Tensor, torch.Tensor]:
        return fast.below(ids, mask, shared, depth)

    states = open_states(folder, rows, depth, compute)
    size = rows.tokens * width * 4
    if states is None:
        room = make_room(run.home, size, settings.cache_gb * 1e9)
        if size > room:
            why = f"hidden states would take {size / 1e9:.1f} GB of disk, of {room / 1e9:.1f} free or allowed (train.fast.cache_gb)"
            _refuse("prefix_cache", wish, why, run.found)
            return None
        states = build_states(folder, rows, width, depth, compute, lambda done: run.advance(done, len(rows.ids)))
    fast.states = states
    words = f"{depth} of {len(fast.blocks or ())} blocks computed once ({size / 1e6:.0f} MB on disk)"
    forget = partial(setattr, fast, "states", None)
    return _On("prefix_cache", words, forget, partial(shutil.rmtree, folder, ignore_errors=True), wish)


def _refuse(key: str, wish: str, why: str, found: Found, *, say: bool = True) -> None:
    if wish == "on":
        raise TrainingError(f"train.fast.{key} cannot be on", given=why, fix=f"set train.fast.{key}: auto")
    if say:
        found.left.append(f"{key} off: {why}")


def _unequal(items: Sequence[Item]) -> list[Item]:
    ordered = sorted(items, key=lambda item: len(item.ids))
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def _beginning(items: Sequence[Item]) -> int:
    """With how many equal tokens all rows begin, before the first output that is needed in any."""
    first = min(next(i for i, label in enumerate(item.labels) if label != IGNORED) for item in items)
    low, high = min(item.ids for item in items), max(item.ids for item in items)  # what these two share, all share
    common = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return max(0, min(common, first - 1, min(len(item.ids) for item in items) - 1))
