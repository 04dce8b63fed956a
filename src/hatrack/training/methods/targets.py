"""Which linear layers of a base a method goes to; a name that matches nothing is an error, not a silence (F10)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from hatrack.core.errors import TargetsNotFound
from hatrack.core.names import closest
from hatrack.training.methods.places import with_layers

__all__ = ["Targets", "find_targets"]

_BLOCK = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Targets:
    """Name suffixes for PEFT, the blocks they apply to, how many layers each suffix matches, and all paths in full."""

    suffixes: tuple[str, ...]
    layers: tuple[int, ...] | None
    counts: dict[str, int]
    paths: tuple[str, ...]


def find_targets(base: nn.Module, wanted: Sequence[str] | None, last_layers: int | None) -> Targets:
    """Resolve ``target_modules`` and ``last_layers`` against a base.

    Raises:
        TargetsNotFound: a wanted name is no linear layer of any block, or there are fewer blocks than asked for.
    """
    linears = [name for name, module in base.named_modules() if isinstance(module, nn.Linear)]
    blocks = {name: int(match.group(1)) for name in linears if (match := _BLOCK.search(name))}
    outside = [name for name in linears if name not in blocks]
    depth = max(blocks.values(), default=-1) + 1
    if last_layers is not None and last_layers > depth:
        raise TargetsNotFound("last_layers is more than the base has", given=str(last_layers), allowed=f"1 to {depth}")
    layers = tuple(range(depth - last_layers, depth)) if last_layers else None
    inside = [name for name, block in blocks.items() if layers is None or block in layers]
    available = sorted({_suffix(name, outside) for name in inside})
    missing = [suffix for suffix in wanted or () if not any(_matches(name, suffix) for name in inside)]
    asked = [(name, suffix) for suffix in wanted for name in inside if _matches(name, suffix)] if wanted else [(n, "") for n in inside]
    suffixes = list(dict.fromkeys(_suffix(name, outside, suffix) for name, suffix in asked))
    counts = {suffix: sum(_matches(name, suffix) for name in inside) for suffix in suffixes}
    if missing or not suffixes:
        raise TargetsNotFound(
            "target_modules names layers this base does not have",
            given=", ".join(missing) or "no linear layer in any block",
            allowed=with_layers((suffix, _where(suffix, blocks, inside)) for suffix in available),
            fix=_fix(missing, available, blocks),
        )
    paths = tuple(name for name in inside if any(_matches(name, suffix) for suffix in suffixes))
    return Targets(tuple(suffixes), layers, counts, paths)


def _where(suffix: str, blocks: Mapping[str, int], names: Iterable[str]) -> list[int]:
    """The numbers of the blocks in which a suffix matches one of the names."""
    return [blocks[name] for name in names if _matches(name, suffix)]


def _fix(missing: Sequence[str], available: Sequence[str], blocks: Mapping[str, int]) -> str:
    elsewhere = [(suffix, found) for suffix in missing if (found := _where(suffix, blocks, blocks))]
    if elsewhere:
        return f"raise last_layers: {with_layers(elsewhere)}"
    near = closest(missing[0], available, 1) if missing else []
    return f"did you mean {near[0]}?" if near else "choose among the allowed names, or leave target_modules out"


def _matches(name: str, suffix: str) -> bool:
    return name == suffix or name.endswith("." + suffix)


def _suffix(name: str, outside: Sequence[str], least: str = "") -> str:
    """The shortest end of ``name``, ``least`` or longer, that no layer outside the blocks (a pooler, the output head) also has."""
    parts = name.split(".")
    for length in range(least.count(".") + 1, len(parts)):
        suffix = ".".join(parts[-length:])
        if not any(_matches(other, suffix) for other in outside):
            return suffix
    return name
