"""``out = B v`` for rows of few numbers, by the instruction of ``vnni``: sixteen columns after sixteen, in one loop.

``outputs(x, x_at, x_step, w, w_at, cells, head, head_at, out, out_at, width, groups)`` sets ``out[row, column]`` to
``step[row] * (begin[row] + sum x[row] w[column])``.

Args of it:
    x: int8, cells of ``x_step`` bytes, which begin with ``[rows, 4]``, and as many again with what counts 128 times.
    w: uint8, ``[groups, cells, 16, 4]``. head: int32, ``[rows, SHORT]``: what the sum begins with, and the step.
    out: float32, rows of ``width``. Of all of these, where they begin in a longer array. groups: of sixteen columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import cgutils, types

from hatrack.serving.kernels.vectors import FLOATS, INT32, INT64, LANES, WHOLE, all_of, every, inlined
from hatrack.serving.kernels.vnni import CELL, SHIFT, at, products, word

__all__ = ["SHORT", "SHORT_STEP", "outputs1", "outputs2", "outputs4"]

SHORT = 2  # words of a head
SHORT_STEP = 1


def _outputs(rows: int) -> Any:
    def declared(
        context: Any, x: Any, x_at: Any, x_step: Any, w: Any, w_at: Any, cells: Any, head: Any, head_at: Any, out: Any, out_at: Any,
        width: Any, groups: Any,
    ) -> tuple[Any, Callable[..., Any]]:  # fmt: skip  # pairs of an array and a place in it
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            pointers = []
            for number in (0, 3, 6, 8):
                array = context.make_array(signature.args[number])(context, builder, given[number])
                pointers.append(builder.gep(array.data, [given[number + 1]]))
            left, right, head, out = pointers
            step, cells, width, groups = given[2], given[5], given[10], given[11]
            words = [[word(builder, builder.gep(head, [INT64(SHORT * row)]), n) for n in range(SHORT)] for row in range(rows)]
            with cgutils.for_range(builder, groups) as group:
                weights = builder.mul(group.index, builder.mul(cells, INT64(CELL * LANES)))
                sums = [cgutils.alloca_once_value(builder, begin) for begin, _ in words]  # type: ignore[no-untyped-call]
                highs = [cgutils.alloca_once_value(builder, all_of(0)) for _ in words]  # type: ignore[no-untyped-call]
                with cgutils.for_range(builder, cells) as cell:
                    place = builder.add(weights, builder.mul(cell.index, INT64(CELL * LANES)))
                    columns = builder.load(at(builder, right, place, WHOLE), align=1)
                    for part, totals in ((cell.index, sums), (builder.add(cell.index, cells), highs)):
                        for row, total in enumerate(totals):
                            place = builder.add(builder.mul(part, step), INT64(CELL * row))
                            four = every(builder, builder.load(at(builder, left, place, INT32), align=1))
                            builder.store(products(builder, builder.load(total), columns, four), total)
                for row, (low, high) in enumerate(zip(sums, highs, strict=True)):
                    total = builder.add(builder.load(low), builder.shl(builder.load(high), all_of(SHIFT)))
                    place = builder.add(builder.mul(width, INT64(row)), builder.mul(group.index, INT64(LANES)))
                    columns = at(builder, out, place, FLOATS)
                    whole = builder.fmul(builder.sitofp(total, FLOATS), builder.bitcast(words[row][SHORT_STEP], FLOATS))
                    builder.store(whole, columns, align=4)
            return context.get_dummy_value()

        n = types.intp
        return types.void(x, n, n, w, n, n, head, n, out, n, n, n), code

    return inlined(declared)


outputs1, outputs2, outputs4 = (_outputs(rows) for rows in (1, 2, 4))
