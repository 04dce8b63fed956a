"""Sixteen numbers of 32 bits as one value: what the instructions that are written by hand here are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

__all__ = [
    "FLOAT",
    "FLOATS",
    "INT32",
    "INT64",
    "LANES",
    "MASK",
    "WHOLE",
    "Code",
    "all_of",
    "every",
    "fetch",
    "inlined",
    "instruction",
    "lanes_of",
]

LANES = 16
FLOAT, INT32, INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
FLOATS, WHOLE = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)

inlined: Callable[[Callable[..., Any]], Any] = intrinsic
Code = tuple[Any, Callable[[Any, Any, Any, Any], Any]]  # a signature, and what builds the instructions


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Lanes16")


lanes_of: Any = _Lanes()  # the type in compiled code; called with types of arguments, a signature that returns it


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOATS)  # type: ignore[no-untyped-call]


def all_of(number: int) -> Any:
    """A constant sixteen times."""
    return ir.Constant(WHOLE, [number] * LANES)


def every(builder: Any, number: Any) -> Any:
    """One number sixteen times."""
    first = builder.insert_element(ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined), number, INT32(0))
    return builder.shuffle_vector(first, first, all_of(0))


def instruction(builder: Any, name: str, result: Any, given: list[Any]) -> Any:
    """One of LLVM's own functions."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, given), name)  # type: ignore[no-untyped-call]


def fetch(builder: Any, pointer: Any) -> None:
    """Tell the processor that what lies there is going to be read; any place will do, also one behind the end."""
    place = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    told = instruction(builder, "llvm.prefetch.p0", ir.VoidType(), [place.type, INT32, INT32, INT32])
    builder.call(told, [place, INT32(0), INT32(3), INT32(1)])  # to read, into the nearest cache, data
