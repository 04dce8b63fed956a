"""Products of bytes as one instruction: what processors with AVX512-VNNI have for it, and which those are.

``tile`` is the inner loop of a matrix product for up to sixteen rows and sixteen columns, whose 256 sums stay in registers
while four numbers of each row and column are multiplied at a time. Sums are whole numbers, and exact. The outliers of a row,
which have 15 bits instead of 8 (``panels``), bring their upper half in at the end, and the columns that matter most what their
weights lost in 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import types

from hatrack.serving.kernels.vectors import FLOATS, INT32, INT64, LANES, MASK, WHOLE, all_of, every, fetch, inlined, instruction

__all__ = [
    "BEGIN",
    "BEGIN_FINE",
    "BEGIN_OUTLIERS",
    "CELL",
    "FINE",
    "FINE_AT",
    "HEAD",
    "MIDDLE",
    "OUTLIERS",
    "OUTLIERS_AT",
    "ROWS",
    "SHIFT",
    "STEP",
    "STEP_FINE",
    "at",
    "available",
    "products",
    "tile1",
    "tile2",
    "tile4",
    "tile8",
    "tile16",
    "word",
]

ROWS = 16  # of the largest tile
_SLOW = 4  # rows from which on a cell takes so long that the processor would not read ahead by itself
_AHEAD = 64  # cells that are read ahead then
CELL = 4  # numbers that are multiplied and added at once
MIDDLE = 128  # what is added to weights, which the instruction wants without sign
OUTLIERS = 6  # of each row
SHIFT = 7  # what the upper half of an outlier counts more, in bits
FINE = 8  # columns whose weights have 8 bits more
# A row's head: what its sum begins with, the same for its outliers and for its fine columns, the step of its numbers, that of its
# numbers in the fine columns, these, four to a word; then each outlier's cell and the four bytes of it.
BEGIN, BEGIN_OUTLIERS, BEGIN_FINE, STEP, STEP_FINE, FINE_AT = range(6)
OUTLIERS_AT = FINE_AT + FINE // CELL
HEAD = OUTLIERS_AT + 2 * OUTLIERS
_NEEDED = ("avx512f", "avx512bw", "avx512vl", "avx512vnni")


@cache
def available() -> bool:
    """Whether this processor has the instruction."""
    features: dict[str, bool] = dict(binding.get_host_cpu_features())
    return all(features.get(name, False) for name in _NEEDED)


def _tile(rows: int) -> Any:
    """The loop for so many rows, as an intrinsic.

    ``tile(x, x_at, x_step, w, w_at, cells, fine, fine_at, head, head_at, factor, factor_at, out, out_at, width, live, columns)``
    writes ``out[row, column] = factor[column] * (step[row] * (begin[row] + sum x[row] w[column]) + the same of the fine columns)``.

    Args of it:
        x: int8, cells of ``x_step`` bytes, which begin with ``[rows, 4]``. w: uint8, ``[cells, 16, 4]``. fine: uint8,
            ``[FINE / 4, 16, 4]``, what 8 bits left of the weights of the fine columns. head: int32, ``[rows, HEAD]``.
            factor: float32, ``[16]``.
        out: float32, rows of ``width``. Of all of these, where they begin in a longer array.
        live, columns: how many rows and columns are written.
    """

    def declared(
        context: Any, x: Any, x_at: Any, x_step: Any, w: Any, w_at: Any, cells: Any, fine_w: Any, fine_at: Any, head: Any, head_at: Any,
        factor: Any, factor_at: Any, out: Any, out_at: Any, width: Any, live: Any, columns: Any,
    ) -> tuple[Any, Callable[..., Any]]:  # fmt: skip  # pairs of an array and a place in it
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            pointers = []
            for number in (0, 3, 6, 8, 10, 12):
                array = context.make_array(signature.args[number])(context, builder, given[number])
                pointers.append(builder.gep(array.data, [given[number + 1]]))
            left, right, rest, head, factor, out = pointers
            heads = [builder.gep(head, [INT64(HEAD * row)]) for row in range(rows)]
            sums = _loop(builder, [word(builder, one, BEGIN) for one in heads], left, given[2], right, given[5])
            sums = [builder.add(total, _outliers(builder, one, right)) for total, one in zip(sums, heads, strict=True)]
            few = [_scaled(builder, _fine(builder, one, rest), one, STEP_FINE) for one in heads]
            parts = [builder.fadd(_scaled(builder, total, one, STEP), added) for total, one, added in zip(sums, heads, few, strict=True)]
            _write(builder, parts, factor, out, *given[14:])
            return context.get_dummy_value()

        n = types.intp
        return types.void(x, n, n, w, n, n, fine_w, n, head, n, factor, n, out, n, n, n, n), code

    return inlined(declared)


def _loop(builder: Any, sums: list[Any], left: Any, step: Any, right: Any, cells: Any) -> list[Any]:
    """``sums`` and the products of all cells."""
    before, body, after = builder.block, builder.append_basic_block("cells"), builder.append_basic_block("sums")
    builder.branch(body)
    builder.position_at_end(body)
    cell = builder.phi(INT64)
    cell.add_incoming(INT64(0), before)
    running = [builder.phi(WHOLE) for _ in sums]
    columns = builder.load(at(builder, right, builder.mul(cell, INT64(CELL * LANES)), WHOLE), align=1)
    added = []
    for row, total in enumerate(running):
        total.add_incoming(sums[row], before)
        place = builder.add(builder.mul(cell, step), INT64(CELL * row))
        four = builder.load(at(builder, left, place, INT32), align=1)
        added.append(products(builder, total, columns, every(builder, four)))
        total.add_incoming(added[-1], body)
    if len(sums) >= _SLOW:
        fetch(builder, at(builder, right, builder.mul(builder.add(cell, INT64(_AHEAD)), INT64(CELL * LANES)), WHOLE))
    following = builder.add(cell, INT64(1))
    cell.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", following, cells), body, after)
    builder.position_at_end(after)
    return added


def _scaled(builder: Any, total: Any, head: Any, step: int) -> Any:
    """Whole numbers as what they stand for."""
    return builder.fmul(builder.sitofp(total, FLOATS), builder.bitcast(word(builder, head, step), FLOATS))


def _outliers(builder: Any, head: Any, right: Any) -> Any:
    """What the upper halves of a row's outliers add to its sums."""
    total = word(builder, head, BEGIN_OUTLIERS)
    for n in range(OUTLIERS):
        cell = builder.sext(builder.load(builder.gep(head, [INT64(OUTLIERS_AT + 2 * n)])), INT64)
        columns = builder.load(at(builder, right, builder.mul(cell, INT64(CELL * LANES)), WHOLE), align=1)
        total = products(builder, total, columns, word(builder, head, OUTLIERS_AT + 2 * n + 1))
    return builder.shl(total, all_of(SHIFT))


def _fine(builder: Any, head: Any, fine: Any) -> Any:
    """What a row's numbers in the fine columns make of the rest of their weights."""
    total = word(builder, head, BEGIN_FINE)
    for n in range(FINE // CELL):
        columns = builder.load(at(builder, fine, INT64(n * CELL * LANES), WHOLE), align=1)
        total = products(builder, total, columns, word(builder, head, FINE_AT + n))
    return total


def _write(builder: Any, parts: list[Any], factor: Any, out: Any, width: Any, live: Any, columns: Any) -> None:
    inside = builder.icmp_signed("<", ir.Constant(WHOLE, list(range(LANES))), every(builder, builder.trunc(columns, INT32)))
    pointer = FLOATS.as_pointer()
    read = instruction(builder, "llvm.masked.load.v16f32.p0", FLOATS, [pointer, INT32, MASK, FLOATS])
    write = instruction(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), [FLOATS, pointer, INT32, MASK])
    nothing = ir.Constant(FLOATS, [0.0] * LANES)
    by = builder.call(read, [builder.bitcast(factor, pointer), INT32(4), inside, nothing])
    for row, part in enumerate(parts):
        lives = builder.select(builder.icmp_signed("<", INT64(row), live), inside, ir.Constant(MASK, [0] * LANES))
        place = builder.bitcast(builder.gep(out, [builder.mul(width, INT64(row))]), pointer)
        builder.call(write, [builder.fmul(part, by), place, INT32(4), lives])


def products(builder: Any, total: Any, columns: Any, four: Any) -> Any:
    """``total`` and the products of four numbers with those of sixteen columns."""
    return builder.call(instruction(builder, "llvm.x86.avx512.vpdpbusd.512", WHOLE, [WHOLE] * 3), [total, columns, four])


def word(builder: Any, head: Any, number: int) -> Any:
    """A word of a row's head, sixteen times."""
    return every(builder, builder.load(builder.gep(head, [INT64(number)])))


def at(builder: Any, pointer: Any, offset: Any, kind: Any) -> Any:
    """A pointer to another kind of thing, ``offset`` elements behind."""
    return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())


tile1, tile2, tile4, tile8, tile16 = (_tile(rows) for rows in (1, 2, 4, 8, 16))
