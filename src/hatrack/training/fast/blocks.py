"""The stack of blocks inside a base, of any architecture: who is trained in it, and how to run only a part of it.

Nothing is rebuilt. Blocks that are to be left out hand on what they are given, so the stock model's own code still
makes positions, masks and norms, and counts its blocks as it always does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["Blocks", "find_blocks", "forwards"]

# Parts of a block that work token by token, by the names that the decoder families of transformers share. Whether
# narrowing them is exact is tried on each base before it is used.
_TOKEN_WISE = ("mlp", "self_attn.q_proj", "self_attn.o_proj")


def find_blocks(base: nn.Module) -> Blocks | None:
    """The list of as many modules as the config says there are layers; None where there is no such list."""
    config: Any = getattr(base, "config", None)
    count = getattr(config, "num_hidden_layers", 0)
    found = [module for module in base.modules() if isinstance(module, nn.ModuleList) and count and len(module) == count]
    return Blocks(list(found[0])) if len(found) == 1 else None


class Blocks:
    """See the module."""

    def __init__(self, stack: list[nn.Module]) -> None:
        self._stack = stack
        self._tuples = False  # older architectures return (hidden states, ...)

    def __len__(self) -> int:
        return len(self._stack)

    @property
    def last(self) -> nn.Module:
        """The block next to the output."""
        return self._stack[-1]

    @property
    def below_last(self) -> list[nn.Module]:
        """All but the block next to the output."""
        return self._stack[:-1]

    def frozen(self, run: Callable[[], Any]) -> int:
        """How many blocks at the bottom see and compute nothing that is trained.

        Autograd knows: ``run`` is executed, and the first block whose input needs a gradient has a trained one below it.
        """
        needs: list[bool] = []

        def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
            self._tuples = isinstance(out, tuple)
            if not torch.is_grad_enabled():
                return  # a pass of its own beside the one that is trained, such as kto's reference point
            needs.append(_hidden(args, kwargs).requires_grad)

        hooks = [block.register_forward_hook(look, with_kwargs=True) for block in self._stack]
        try:
            with torch.enable_grad():
                run()
        finally:
            for hook in hooks:
                hook.remove()
        if len(needs) != len(self._stack):
            return 0  # blocks that run twice, or not at all
        return max(0, (needs.index(True) if True in needs else len(needs)) - 1)

    def parameters(self, depth: int) -> list[nn.Parameter]:
        """Of the lowest ``depth`` blocks."""
        return [parameter for block in self._stack[:depth] for parameter in block.parameters()]

    @contextlib.contextmanager
    def given(self, states: torch.Tensor, depth: int) -> Iterator[None]:
        """The lowest ``depth`` blocks are left out; ``states`` ``[n, t, d]`` take the place of what they would compute."""
        out = (states,) if self._tuples else states
        with forwards({block: lambda *args, **kwargs: out for block in self._stack[:depth]}):
            yield

    @contextlib.contextmanager
    def captured(self, depth: int) -> Iterator[list[torch.Tensor]]:
        """A forward pass in this block ends before block ``depth``; the list receives what that was given, ``[n, t, d]``."""
        taken: list[torch.Tensor] = []

        def take(*args: Any, **kwargs: Any) -> Any:
            taken.append(_hidden(args, kwargs))
            raise _Taken

        with contextlib.suppress(_Taken), forwards({self._stack[depth]: take}):
            yield taken

    @contextlib.contextmanager
    def narrowed(self, positions: torch.Tensor) -> Iterator[None]:
        """The last block computes queries and feed-forward at ``positions`` of a line only; elsewhere its output is void."""
        inner = dict(self._stack[-1].named_modules())
        parts = [inner[name] for name in _TOKEN_WISE if name in inner]
        with forwards({part: _at(part.forward, positions) for part in parts}):
            yield


class _Taken(Exception):
    """The way out of a model whose upper blocks and output head are not wanted."""


def _at(forward: Callable[..., torch.Tensor], positions: torch.Tensor) -> Callable[..., torch.Tensor]:
    def run(line: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out = forward(line.index_select(1, positions), *args, **kwargs)
        return out.new_zeros(*line.shape[:-1], out.shape[-1]).index_copy(1, positions, out)

    return run


@contextlib.contextmanager
def forwards(replaced: dict[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Let these modules compute something else."""
    before = {module: vars(module).get("forward") for module in replaced}  # where a library has put one there itself
    for module, forward in replaced.items():
        module.forward = forward
    try:
        yield
    finally:
        for module, forward_before in before.items():
            if forward_before is None:
                del module.forward
            else:
                module.forward = forward_before


def _hidden(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    hidden: torch.Tensor = args[0] if args else kwargs["hidden_states"]
    return hidden
