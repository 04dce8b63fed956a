"""Sixteen float32 side by side, as a compiled loop holds them in registers.

Numba leaves it to LLVM how a sum is cut into lanes, and two loops over the same numbers may be cut in two ways. Here the
cut is written down: lane ``i`` takes every sixteenth number from ``i`` on, and ``total`` adds lanes in one order. So a sum has
the same bits in whichever loop it is computed, and on every processor that multiplies and adds in one rounding.

Rows may hold numbers in fewer bits: uint16 are those of bfloat16, the upper half of a float32, to which is rounded (ties to even).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from hatrack.serving.kernels.vectors import FLOATS, INT32, LANES, MASK, WHOLE, Code, all_of, every, inlined, instruction, lanes_of

__all__ = [
    "LANES",
    "divide",
    "load",
    "load_few",
    "load_first",
    "load_second",
    "multiply_add",
    "none",
    "power_of_two",
    "put",
    "put_bytes",
    "put_few",
    "round_even",
    "spread",
    "total",
    "within",
]

_SUFFIX = {"float32": "v16f32", "uint16": "v16i16"}


@inlined
def none(context: Any) -> Code:
    """Sixteen zeros."""
    return lanes_of(), lambda _, builder, signature, given: ir.Constant(FLOATS, [0.0] * LANES)


@inlined
def spread(context: Any, number: Any) -> Code:
    """A number sixteen times."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        return every(builder, given[0])

    return lanes_of(types.float32), code


@inlined
def load(context: Any, row: Any, first: Any) -> Code | None:
    """Sixteen numbers of a contiguous row, from ``first`` on, as float32."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        return _wide(builder, row, builder.load(place, align=row.dtype.bitwidth // 8))

    return lanes_of(row, types.intp), code


@inlined
def load_first(context: Any, row: Any, first: Any) -> Code | None:
    """The first of two lanes that lie together: one behind the other as float32, in turns as bfloat16, whose halves cost least so."""
    return _load_of_two(row, 0)


@inlined
def load_second(context: Any, row: Any, first: Any) -> Code | None:
    """The other one."""
    return _load_of_two(row, 1)


def _load_of_two(row: Any, number: int) -> Code | None:
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        if row.dtype == types.float32:
            return builder.load(builder.gep(place, [INT32(number)]), align=4)
        both = builder.load(builder.bitcast(place, WHOLE.as_pointer()), align=2)
        bits = builder.and_(both, all_of(-65536)) if number else builder.shl(both, all_of(16))
        return builder.bitcast(bits, FLOATS)

    return lanes_of(row, types.intp), code


@inlined
def load_few(context: Any, row: Any, first: Any, count: Any) -> Code | None:
    """The same for a row's end: ``count`` numbers, and zeros."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        kind = place.type.pointee
        read = instruction(builder, f"llvm.masked.load.{_SUFFIX[str(row.dtype)]}.p0", kind, [place.type, INT32, MASK, kind])
        nothing = ir.Constant(kind, [0] * LANES)
        held = builder.call(read, [place, INT32(row.dtype.bitwidth // 8), _first(builder, given[2]), nothing])
        return _wide(builder, row, held)

    return lanes_of(row, types.intp, types.intp), code


@inlined
def put(context: Any, row: Any, first: Any, lanes: Any) -> Code | None:
    """Write sixteen numbers into a contiguous row, from ``first`` on."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        builder.store(_narrow(builder, row, given[2]), place, align=row.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(row, types.intp, lanes_of), code


@inlined
def put_few(context: Any, row: Any, first: Any, lanes: Any, count: Any) -> Code | None:
    """The same for a row's end: ``count`` numbers."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        name = f"llvm.masked.store.{_SUFFIX[str(row.dtype)]}.p0"
        write = instruction(builder, name, ir.VoidType(), [place.type.pointee, place.type, INT32, MASK])
        held = _narrow(builder, row, given[2])
        builder.call(write, [held, place, INT32(row.dtype.bitwidth // 8), _first(builder, given[3])])
        return context.get_dummy_value()

    return types.void(row, types.intp, lanes_of, types.intp), code


@inlined
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Code:
    """``a * b + c`` in each lane, rounded once."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.call(instruction(builder, "llvm.fma.v16f32", FLOATS, [FLOATS] * 3), given)

    return lanes_of(lanes_of, lanes_of, lanes_of), code


@inlined
def divide(context: Any, a: Any, b: Any) -> Code:
    """``a / b`` in each lane."""
    return lanes_of(lanes_of, lanes_of), lambda _, builder, signature, given: builder.fdiv(*given)


@inlined
def round_even(context: Any, lanes: Any) -> Code:
    """The nearest whole number, in each lane; the even one of two."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.call(instruction(builder, "llvm.roundeven.v16f32", FLOATS, [FLOATS]), given)

    return lanes_of(lanes_of), code


@inlined
def put_bytes(context: Any, row: Any, first: Any, step: Any, lanes: Any) -> Code | None:
    """Write whole numbers from -128 to 127 into a row of int8: four from ``first`` on, four a ``step`` behind it, and so on."""
    if str(getattr(row, "dtype", "")) != "int8":
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array, place, step, lanes = given
        data = context.make_array(signature.args[0])(context, builder, array).data
        small = builder.trunc(builder.fptosi(lanes, WHOLE), ir.VectorType(ir.IntType(8), LANES))
        fours = builder.bitcast(small, ir.VectorType(INT32, LANES // 4))
        for number in range(LANES // 4):
            at = builder.bitcast(builder.gep(data, [place]), INT32.as_pointer())
            builder.store(builder.extract_element(fours, INT32(number)), at, align=1)
            place = builder.add(place, step)
        return context.get_dummy_value()

    return types.void(row, types.intp, types.intp, lanes_of), code


@inlined
def within(context: Any, lanes: Any, least: Any, most: Any) -> Code:
    """Each lane, or the nearer end where it is outside; what is no number stays none."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        value, least, most = given
        value = builder.select(builder.fcmp_ordered("<", value, least), least, value)
        return builder.select(builder.fcmp_ordered(">", value, most), most, value)

    return lanes_of(lanes_of, lanes_of, lanes_of), code


@inlined
def power_of_two(context: Any, lanes: Any) -> Code:
    """``2^n`` for whole numbers ``n`` from -126 to 127, written into the exponent of a float."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        exponent = builder.add(builder.fptosi(given[0], WHOLE), all_of(127))
        return builder.bitcast(builder.shl(exponent, all_of(23)), FLOATS)

    return lanes_of(lanes_of), code


@inlined
def total(context: Any, lanes: Any) -> Code:
    """The sum of all lanes: halves onto each other, until one is left."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        left, width = given[0], LANES
        while width > 1:
            width //= 2
            half = ir.VectorType(INT32, width)
            low = builder.shuffle_vector(left, left, ir.Constant(half, list(range(width))))
            high = builder.shuffle_vector(left, left, ir.Constant(half, list(range(width, 2 * width))))
            left = builder.fadd(low, high)
        return builder.extract_element(left, INT32(0))

    return types.float32(lanes_of), code


def _is_row(array: Any) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C" and str(array.dtype) in _SUFFIX


def _place(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    """A pointer to sixteen elements of the row."""
    row = context.make_array(signature.args[0])(context, builder, given[0])
    sixteen = ir.VectorType(row.data.type.pointee, LANES)
    return builder.bitcast(builder.gep(row.data, [given[1]]), sixteen.as_pointer())


def _wide(builder: Any, row: Any, held: Any) -> Any:
    """What was read from ``row``, as float32."""
    if row.dtype == types.float32:
        return held
    return builder.bitcast(builder.shl(builder.zext(held, WHOLE), all_of(16)), FLOATS)


def _narrow(builder: Any, row: Any, lanes: Any) -> Any:
    """Lanes as ``row`` holds them."""
    if row.dtype == types.float32:
        return lanes
    bits = builder.bitcast(lanes, WHOLE)
    odd = builder.and_(builder.lshr(bits, all_of(16)), all_of(1))
    rounded = builder.lshr(builder.add(builder.add(bits, all_of(0x7FFF)), odd), all_of(16))
    return builder.trunc(rounded, ir.VectorType(ir.IntType(16), LANES))


def _first(builder: Any, count: Any) -> Any:
    """A mask of the first ``count`` lanes."""
    return builder.icmp_signed("<", ir.Constant(WHOLE, list(range(LANES))), every(builder, builder.trunc(count, INT32)))
