"""Sixteen float32 side by side, as a compiled loop holds them in registers.

Numba leaves it to LLVM how a sum is cut into lanes, and two loops over the same numbers may be cut in two ways. Here the
cut is written down: lane ``i`` takes every sixteenth number from ``i`` on, and ``total`` adds lanes in one order. So a sum has
the same bits in whichever loop it is computed, and on every processor that multiplies and adds in one rounding.

Rows may hold numbers in fewer bits: uint16 are those of bfloat16, the upper half of a float32, to which is rounded (ties to even).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

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

LANES = 16
_FLOAT, _INT32 = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_WHOLE = ir.VectorType(_INT32, LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_SUFFIX = {"float32": "v16f32", "uint16": "v16i16"}


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Lanes16")


_lanes: Any = _Lanes()


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


_inlined: Callable[[Callable[..., Any]], Any] = intrinsic
Code = tuple[Any, Callable[[Any, Any, Any, Any], Any]]


@_inlined
def none(context: Any) -> Code:
    """Sixteen zeros."""
    return _lanes(), lambda _, builder, signature, given: ir.Constant(_VECTOR, [0.0] * LANES)


@_inlined
def spread(context: Any, number: Any) -> Code:
    """A number sixteen times."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), given[0], _INT32(0))
        return builder.shuffle_vector(first, first, _all(0))

    return _lanes(types.float32), code


@_inlined
def load(context: Any, row: Any, first: Any) -> Code | None:
    """Sixteen numbers of a contiguous row, from ``first`` on, as float32."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        return _wide(builder, row, builder.load(place, align=row.dtype.bitwidth // 8))

    return _lanes(row, types.intp), code


@_inlined
def load_first(context: Any, row: Any, first: Any) -> Code | None:
    """The first of two lanes that lie together: one behind the other as float32, in turns as bfloat16, whose halves cost least so."""
    return _load_of_two(row, 0)


@_inlined
def load_second(context: Any, row: Any, first: Any) -> Code | None:
    """The other one."""
    return _load_of_two(row, 1)


def _load_of_two(row: Any, number: int) -> Code | None:
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        if row.dtype == types.float32:
            return builder.load(builder.gep(place, [_INT32(number)]), align=4)
        both = builder.load(builder.bitcast(place, _WHOLE.as_pointer()), align=2)
        bits = builder.and_(both, _all(-65536)) if number else builder.shl(both, _all(16))
        return builder.bitcast(bits, _VECTOR)

    return _lanes(row, types.intp), code


@_inlined
def load_few(context: Any, row: Any, first: Any, count: Any) -> Code | None:
    """The same for a row's end: ``count`` numbers, and zeros."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        kind = place.type.pointee
        read = _intrinsic(builder, f"llvm.masked.load.{_SUFFIX[str(row.dtype)]}.p0", kind, [place.type, _INT32, _MASK, kind])
        nothing = ir.Constant(kind, [0] * LANES)
        held = builder.call(read, [place, _INT32(row.dtype.bitwidth // 8), _first(builder, given[2]), nothing])
        return _wide(builder, row, held)

    return _lanes(row, types.intp, types.intp), code


@_inlined
def put(context: Any, row: Any, first: Any, lanes: Any) -> Code | None:
    """Write sixteen numbers into a contiguous row, from ``first`` on."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        builder.store(_narrow(builder, row, given[2]), place, align=row.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(row, types.intp, _lanes), code


@_inlined
def put_few(context: Any, row: Any, first: Any, lanes: Any, count: Any) -> Code | None:
    """The same for a row's end: ``count`` numbers."""
    if not _is_row(row):
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature, given)
        name = f"llvm.masked.store.{_SUFFIX[str(row.dtype)]}.p0"
        write = _intrinsic(builder, name, ir.VoidType(), [place.type.pointee, place.type, _INT32, _MASK])
        held = _narrow(builder, row, given[2])
        builder.call(write, [held, place, _INT32(row.dtype.bitwidth // 8), _first(builder, given[3])])
        return context.get_dummy_value()

    return types.void(row, types.intp, _lanes, types.intp), code


@_inlined
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Code:
    """``a * b + c`` in each lane, rounded once."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.call(_intrinsic(builder, "llvm.fma.v16f32", _VECTOR, [_VECTOR] * 3), given)

    return _lanes(_lanes, _lanes, _lanes), code


@_inlined
def divide(context: Any, a: Any, b: Any) -> Code:
    """``a / b`` in each lane."""
    return _lanes(_lanes, _lanes), lambda _, builder, signature, given: builder.fdiv(*given)


@_inlined
def round_even(context: Any, lanes: Any) -> Code:
    """The nearest whole number, in each lane; the even one of two."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.call(_intrinsic(builder, "llvm.roundeven.v16f32", _VECTOR, [_VECTOR]), given)

    return _lanes(_lanes), code


@_inlined
def put_bytes(context: Any, row: Any, first: Any, step: Any, lanes: Any) -> Code | None:
    """Write whole numbers from -128 to 127 into a row of int8: four from ``first`` on, four a ``step`` behind it, and so on."""
    if str(getattr(row, "dtype", "")) != "int8":
        return None

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array, place, step, lanes = given
        data = context.make_array(signature.args[0])(context, builder, array).data
        small = builder.trunc(builder.fptosi(lanes, _WHOLE), ir.VectorType(ir.IntType(8), LANES))
        fours = builder.bitcast(small, ir.VectorType(_INT32, LANES // 4))
        for number in range(LANES // 4):
            at = builder.bitcast(builder.gep(data, [place]), _INT32.as_pointer())
            builder.store(builder.extract_element(fours, _INT32(number)), at, align=1)
            place = builder.add(place, step)
        return context.get_dummy_value()

    return types.void(row, types.intp, types.intp, _lanes), code


@_inlined
def within(context: Any, lanes: Any, least: Any, most: Any) -> Code:
    """Each lane, or the nearer end where it is outside; what is no number stays none."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        value, least, most = given
        value = builder.select(builder.fcmp_ordered("<", value, least), least, value)
        return builder.select(builder.fcmp_ordered(">", value, most), most, value)

    return _lanes(_lanes, _lanes, _lanes), code


@_inlined
def power_of_two(context: Any, lanes: Any) -> Code:
    """``2^n`` for whole numbers ``n`` from -126 to 127, written into the exponent of a float."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        exponent = builder.add(builder.fptosi(given[0], _WHOLE), _all(127))
        return builder.bitcast(builder.shl(exponent, _all(23)), _VECTOR)

    return _lanes(_lanes), code


@_inlined
def total(context: Any, lanes: Any) -> Code:
    """The sum of all lanes: halves onto each other, until one is left."""

    def code(_: Any, builder: Any, signature: Any, given: Any) -> Any:
        left, width = given[0], LANES
        while width > 1:
            width //= 2
            half = ir.VectorType(_INT32, width)
            low = builder.shuffle_vector(left, left, ir.Constant(half, list(range(width))))
            high = builder.shuffle_vector(left, left, ir.Constant(half, list(range(width, 2 * width))))
            left = builder.fadd(low, high)
        return builder.extract_element(left, _INT32(0))

    return types.float32(_lanes), code


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
    return builder.bitcast(builder.shl(builder.zext(held, _WHOLE), _all(16)), _VECTOR)


def _narrow(builder: Any, row: Any, lanes: Any) -> Any:
    """Lanes as ``row`` holds them."""
    if row.dtype == types.float32:
        return lanes
    bits = builder.bitcast(lanes, _WHOLE)
    odd = builder.and_(builder.lshr(bits, _all(16)), _all(1))
    rounded = builder.lshr(builder.add(builder.add(bits, _all(0x7FFF)), odd), _all(16))
    return builder.trunc(rounded, ir.VectorType(ir.IntType(16), LANES))


def _all(number: int) -> Any:
    return ir.Constant(_WHOLE, [number] * LANES)


def _first(builder: Any, count: Any) -> Any:
    """A mask of the first ``count`` lanes."""
    one = builder.insert_element(ir.Constant(_WHOLE, ir.Undefined), builder.trunc(count, _INT32), _INT32(0))
    many = builder.shuffle_vector(one, one, _all(0))
    return builder.icmp_signed("<", ir.Constant(_WHOLE, list(range(LANES))), many)


def _intrinsic(builder: Any, name: str, result: Any, given: list[Any]) -> Any:
    declared: Any = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, given), name)  # type: ignore[no-untyped-call]
    return declared
