"""Products of bytes as one instruction: what processors with AVX512-VNNI have for it, and which those are.

``tile`` is the inner loop of a matrix product for up to sixteen rows and sixteen columns, whose 256 sums stay in registers
while four numbers of each row and column are multiplied at a time. Sums are whole numbers, and exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from hatrack.serving.kernels.lanes import LANES

__all__ = ["CELL", "ROWS", "available", "tile1", "tile2", "tile4", "tile8", "tile16"]

ROWS = 16  # of the largest tile
CELL = 4  # numbers that are multiplied and added at once
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_WHOLE, _FLOATS = ir.VectorType(_INT32, LANES), ir.VectorType(ir.FloatType(), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_NEEDED = ("avx512f", "avx512bw", "avx512vl", "avx512vnni")


@cache
def available() -> bool:
    """Whether this processor has the instruction."""
    features: dict[str, bool] = dict(binding.get_host_cpu_features())
    return all(features.get(name, False) for name in _NEEDED)


def _tile(rows: int) -> Any:
    """The loop for so many rows, as an intrinsic.

    ``tile(x, x_at, w, w_at, cells, begin, begin_at, factor, factor_at, out, out_at, width, live, columns)`` writes
    ``out[row, column] = factor[column] * (begin[row] + sum x[row] w[column])``.

    Args of it:
        x: int8, ``[cells, rows, 4]``. w: uint8, ``[cells, 16, 4]``. begin: int32, ``[rows]``. factor: float32, ``[16]``.
        out: float32, rows of ``width``. Of all of these, where they begin in a longer array.
        live, columns: how many rows and columns are written.
    """

    def declared(
        context: Any, x: Any, x_at: Any, w: Any, w_at: Any, cells: Any, begin: Any, begin_at: Any, factor: Any, factor_at: Any,
        out: Any, out_at: Any, width: Any, live: Any, columns: Any,
    ) -> tuple[Any, Callable[..., Any]]:  # fmt: skip  # pairs of an array and a place in it
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            pointers = []
            for number in (0, 2, 5, 7, 9):
                array = context.make_array(signature.args[number])(context, builder, given[number])
                pointers.append(builder.gep(array.data, [given[number + 1]]))
            left, right, begin, factor, out = pointers
            sums = _loop(
                builder, [_every(builder, builder.load(builder.gep(begin, [_INT64(r)]))) for r in range(rows)], left, right, given[4]
            )
            _write(builder, sums, factor, out, *given[11:])
            return context.get_dummy_value()

        numbers = types.intp
        return types.void(x, numbers, w, numbers, numbers, begin, numbers, factor, numbers, out, numbers, numbers, numbers, numbers), code

    made: Any = intrinsic(declared)
    return made


def _loop(builder: Any, sums: list[Any], left: Any, right: Any, cells: Any) -> list[Any]:
    """``sums`` and the products of all cells."""
    product = _intrinsic(builder, "llvm.x86.avx512.vpdpbusd.512", _WHOLE, [_WHOLE] * 3)
    before, body, after = builder.block, builder.append_basic_block("cells"), builder.append_basic_block("sums")
    builder.branch(body)
    builder.position_at_end(body)
    cell = builder.phi(_INT64)
    cell.add_incoming(_INT64(0), before)
    running = [builder.phi(_WHOLE) for _ in sums]
    columns = builder.load(_at(builder, right, builder.mul(cell, _INT64(CELL * LANES)), _WHOLE), align=1)
    added = []
    for row, total in enumerate(running):
        total.add_incoming(sums[row], before)
        place = builder.add(builder.mul(cell, _INT64(CELL * len(sums))), _INT64(CELL * row))
        four = builder.load(_at(builder, left, place, _INT32), align=1)
        added.append(builder.call(product, [total, columns, _every(builder, four)]))
        total.add_incoming(added[-1], body)
    following = builder.add(cell, _INT64(1))
    cell.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", following, cells), body, after)
    builder.position_at_end(after)
    return added


def _write(builder: Any, sums: list[Any], factor: Any, out: Any, width: Any, live: Any, columns: Any) -> None:
    count = builder.trunc(columns, _INT32)
    inside = builder.icmp_signed("<", ir.Constant(_WHOLE, list(range(LANES))), _every(builder, count))
    pointer = _FLOATS.as_pointer()
    read = _intrinsic(builder, "llvm.masked.load.v16f32.p0", _FLOATS, [pointer, _INT32, _MASK, _FLOATS])
    write = _intrinsic(builder, "llvm.masked.store.v16f32.p0", ir.VoidType(), [_FLOATS, pointer, _INT32, _MASK])
    nothing = ir.Constant(_FLOATS, [0.0] * LANES)
    by = builder.call(read, [builder.bitcast(factor, pointer), _INT32(4), inside, nothing])
    for row, total in enumerate(sums):
        lives = builder.select(builder.icmp_signed("<", _INT64(row), live), inside, ir.Constant(_MASK, [0] * LANES))
        place = builder.bitcast(builder.gep(out, [builder.mul(width, _INT64(row))]), pointer)
        builder.call(write, [builder.fmul(builder.sitofp(total, _FLOATS), by), place, _INT32(4), lives])


def _every(builder: Any, number: Any) -> Any:
    """One int32 sixteen times."""
    first = builder.insert_element(ir.Constant(_WHOLE, ir.Undefined), number, _INT32(0))
    return builder.shuffle_vector(first, first, ir.Constant(_WHOLE, [0] * LANES))


def _intrinsic(builder: Any, name: str, result: Any, given: list[Any]) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, given), name)  # type: ignore[no-untyped-call]


def _at(builder: Any, pointer: Any, offset: Any, kind: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())


tile1, tile2, tile4, tile8, tile16 = (_tile(rows) for rows in (1, 2, 4, 8, 16))
