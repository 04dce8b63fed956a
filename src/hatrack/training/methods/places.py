"""Where things stand in a block of a base: data for each family of architectures, recognised by the names of its modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from hatrack.core.errors import TargetsNotFound

__all__ = ["Block", "Layout", "block_number", "find_blocks", "with_layers"]


@dataclass(frozen=True)
class Layout:
    """Paths inside a block.

    Attributes:
        attention_out, feedforward_out: the last linear of each of the two parts; what it gives is added to the stream.
        attention, feedforward: the module that a parallel adapter stands on.
        parallel_reads: which of that module's values is what the part reads, see ``hatrack.models.adapters.bottleneck``.
        key, value: the linears that make keys and values.
    """

    family: str
    attention: str
    attention_out: str
    feedforward: str
    feedforward_out: str
    key: str
    value: str
    parallel_reads: str


@dataclass(frozen=True)
class Block:
    """One block of a base: its path, its number, and the layout of its family."""

    path: str
    number: int
    layout: Layout


_LAYOUTS = (
    Layout(
        family="Llama, Mistral, Qwen, Gemma, SmolLM",
        attention="self_attn",
        attention_out="self_attn.o_proj",
        feedforward="mlp",
        feedforward_out="mlp.down_proj",
        key="self_attn.k_proj",
        value="self_attn.v_proj",
        parallel_reads="input",
    ),
    Layout(
        family="BERT, RoBERTa, MiniLM",
        attention="attention.output",
        attention_out="attention.output.dense",
        feedforward="output",
        feedforward_out="output.dense",
        key="attention.self.key",
        value="attention.self.value",
        parallel_reads="residual",
    ),
)


def find_blocks(base: nn.Module, last_layers: int | None = None) -> list[Block]:
    """The blocks of a base, in order; only the last so many where that is asked.

    Raises:
        TargetsNotFound: the architecture is of no known family, or has fewer blocks.
    """
    for name, module in base.named_modules():
        if not isinstance(module, nn.ModuleList) or not len(module):
            continue
        layout = next((layout for layout in _LAYOUTS if _has(module[0], layout)), None)
        if layout is not None:
            depth = len(module)
            if last_layers is not None and last_layers > depth:
                raise TargetsNotFound("the base has fewer blocks", given=f"last_layers: {last_layers}", allowed=f"1 to {depth}")
            return [Block(f"{name}.{i}", i, layout) for i in range(depth - (last_layers or depth), depth)]
    raise TargetsNotFound(
        "the blocks of this architecture are not known",
        given=type(base).__name__,
        allowed="; ".join(layout.family for layout in _LAYOUTS),
        fix="use a method that does not depend on the layout of a block, such as lora or bitfit",
    )


def block_number(name: str) -> int | None:
    """The number of the block that a parameter or module stands in, by its name."""
    return next((int(part) for part in name.split(".") if part.isdigit()), None)


def with_layers(found: Iterable[tuple[str, Sequence[int]]]) -> str:
    """``q_proj, k_proj in layers 0-2; in_proj in layer 3``: words with the numbers of their layers, those of the same ones together."""
    together: dict[tuple[int, ...], list[str]] = {}
    for words, numbers in found:
        together.setdefault(tuple(sorted(set(numbers))), []).append(words)
    return "; ".join(", ".join(words) + _in_layers(numbers) for numbers, words in together.items())


def _in_layers(numbers: tuple[int, ...]) -> str:
    if not numbers:
        return ""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return f" in layer{'s' if len(numbers) > 1 else ''} {shown}"


def _has(block: nn.Module, layout: Layout) -> bool:
    names = {name for name, _ in block.named_modules()}
    wanted = (layout.attention, layout.attention_out, layout.feedforward, layout.feedforward_out, layout.key, layout.value)
    return names.issuperset(wanted)
