"""Which of many numbers are the largest, sixteen at a time: four of each lane are kept in order while the row is read once.

A number is ranked by the bits of its magnitude, which are ordered as whole numbers are; the low ``TAG`` bits give way to the
number of the sixteen it came from, so that its place is known when it is found. Magnitudes that differ in these bits alone
count as equal.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from hatrack.serving.kernels.vectors import FLOATS, INT32, LANES, WHOLE, Code, all_of, every, inlined, instruction, lanes_of

__all__ = ["TAG", "lane_of", "larger", "largest", "ranked", "replaced", "smaller"]

TAG = 12  # rows of up to 65,536 numbers
_SIGN = 31


@inlined
def ranked(context: Any, lanes: Any, number: Any) -> Code:
    """Keys of sixteen numbers, the ``number``-th of their row."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        bits = builder.and_(builder.bitcast(given[0], WHOLE), all_of((1 << _SIGN) - (1 << TAG)))
        return builder.bitcast(builder.or_(bits, every(builder, builder.trunc(given[1], INT32))), FLOATS)

    return lanes_of(lanes_of, types.intp), code


def _better(name: str) -> Code:
    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        left, right = (builder.bitcast(keys, WHOLE) for keys in given)
        return builder.bitcast(builder.call(instruction(builder, f"llvm.{name}.v16i32", WHOLE, [WHOLE] * 2), [left, right]), FLOATS)

    return lanes_of(lanes_of, lanes_of), code


@inlined
def larger(context: Any, a: Any, b: Any) -> Code:
    """The larger key in each lane."""
    return _better("umax")


@inlined
def smaller(context: Any, a: Any, b: Any) -> Code:
    """The smaller key in each lane."""
    return _better("umin")


@inlined
def largest(context: Any, keys: Any) -> Code:
    """The largest key of all lanes, int32."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.call(instruction(builder, "llvm.vector.reduce.umax.v16i32", INT32, [WHOLE]), [builder.bitcast(given[0], WHOLE)])

    return types.int32(lanes_of), code


@inlined
def lane_of(context: Any, keys: Any, key: Any) -> Code:
    """The first lane that holds a key."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        same = builder.icmp_signed("==", builder.bitcast(given[0], WHOLE), every(builder, given[1]))
        bits = builder.zext(builder.bitcast(same, ir.IntType(LANES)), ir.IntType(64))
        return builder.cttz(bits, ir.Constant(ir.IntType(1), 0))

    return types.intp(lanes_of, types.int32), code


@inlined
def replaced(context: Any, keys: Any, lane: Any, others: Any) -> Code:
    """``keys``, and in one lane that of ``others``."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        keys, lane, others = given
        here = builder.icmp_signed("==", ir.Constant(WHOLE, list(range(LANES))), every(builder, builder.trunc(lane, INT32)))
        return builder.select(here, others, keys)

    return lanes_of(lanes_of, types.intp, lanes_of), code
