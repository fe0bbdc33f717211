"""The words of `vectors` for numba: a vector is one LLVM value, whose width fits the processor.

LLVM vectorizes loops over lanes badly (it unrolls them first), so that vectors are said outright. A width
that the processor lacks costs a factor of six: it is that of the host's registers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing import signature
from numba.core.typing.templates import AbstractTemplate, ConcreteTemplate, infer_global
from numba.extending import models, register_model

from . import vectors
from .width import width

WIDTH = width()

_DOUBLE = ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, WIDTH)
_MASK = ir.VectorType(ir.IntType(1), WIDTH)

#: Products and sums may be fused; nothing may be reordered, or bits would depend on the compiler's mood.
_FLAGS = ("contract",)


class _VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Vector{WIDTH}")


class _MaskType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Mask{WIDTH}")


_Lowering = TypeVar("_Lowering", bound=Callable[..., Any])

vector, mask, number = _VectorType(), _MaskType(), types.float64


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


@register_model(_MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _MASK)


def _filled(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, undefined, lanes)


def _as_vector(builder: Any, kind: Any, value: Any) -> Any:
    return value if kind == vector else _filled(builder, value)


def _lowers(plain: Callable[..., Any], *kinds: Any) -> Callable[[_Lowering], _Lowering]:
    """What builds the code of a function for arguments of these types."""
    register: Callable[[_Lowering], _Lowering] = lower_builtin(plain, *kinds)
    return register


def _word(plain: Callable[..., Any], result: Any, *kinds: Any) -> Callable[[_Lowering], _Lowering]:
    """Give a function its meaning in compiled code, for arguments of these types."""
    infer_global(plain)(type("_Word", (ConcreteTemplate,), {"cases": [signature(result, *kinds)]}))
    return _lowers(plain, *kinds)


def _declare(operation: Any, result: Any, make: Callable[..., Any]) -> None:
    """An operator of two vectors, or of a vector and a number."""
    pairs = [(vector, vector), (vector, number), (number, vector)]
    cases = [signature(result, *pair) for pair in pairs]
    infer_global(operation)(type("_Operator", (ConcreteTemplate,), {"cases": cases}))

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        left, right = (_as_vector(builder, kind, x) for kind, x in zip(sig.args, args, strict=True))
        return make(builder, left, right)

    for pair in pairs:
        lower_builtin(operation, *pair)(lower)


_declare(operator.add, vector, lambda b, x, y: b.fadd(x, y, flags=_FLAGS))
_declare(operator.sub, vector, lambda b, x, y: b.fsub(x, y, flags=_FLAGS))
_declare(operator.mul, vector, lambda b, x, y: b.fmul(x, y, flags=_FLAGS))
_declare(operator.truediv, vector, lambda b, x, y: b.fdiv(x, y, flags=_FLAGS))


def _declare_comparison(operation: Any, sign: str) -> None:
    _declare(operation, mask, lambda b, x, y: b.fcmp_ordered(sign, x, y))


_declare_comparison(operator.lt, "<")
_declare_comparison(operator.le, "<=")
_declare_comparison(operator.gt, ">")
_declare_comparison(operator.ge, ">=")
_declare_comparison(operator.eq, "==")


@_word(operator.and_, mask, mask, mask)
def _lower_and(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.and_(*args)


@_word(operator.neg, vector, vector)
def _lower_negative(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.fneg(args[0])


@infer_global(vectors.load)
class _Load(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(vector, args[0], types.intp)


@infer_global(vectors.store)
class _Store(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(types.void, args[0], types.intp, vector)


def _address(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    first = builder.mul(place, ir.Constant(place.type, WIDTH))
    return builder.bitcast(builder.gep(data, [first]), _VECTOR.as_pointer())


@_lowers(vectors.load, types.Array, types.intp)
def _lower_load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    loaded = builder.load(_address(context, builder, sig.args[0], *args))
    # Arrays are made on a boundary of 64 bytes, but a fault is no way to say so.
    loaded.align = 8
    return loaded


@_lowers(vectors.store, types.Array, types.intp, vector)
def _lower_store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array, place, value = args
    builder.store(value, _address(context, builder, sig.args[0], array, place)).align = 8
    return context.get_dummy_value()


def _called(builder: Any, name: str, result: Any, argument: Any) -> Any:
    kind = ir.FunctionType(result, [argument.type])
    return builder.call(builder.module.declare_intrinsic(name, fnty=kind), [argument])


@_word(vectors.fill, vector, number)
def _lower_fill(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _filled(builder, args[0])


@_word(vectors.root, vector, vector)
def _lower_root(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _called(builder, f"llvm.sqrt.v{WIDTH}f64", _VECTOR, args[0])


@_word(vectors.size_of, vector, vector)
def _lower_size(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _called(builder, f"llvm.fabs.v{WIDTH}f64", _VECTOR, args[0])


@_word(vectors.largest, number, vector)
def _lower_largest(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _called(builder, f"llvm.vector.reduce.fmax.v{WIDTH}f64", _DOUBLE, args[0])


@_word(vectors.some, types.boolean, mask)
def _lower_some(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    lanes = ir.IntType(WIDTH)
    return builder.icmp_unsigned("!=", builder.bitcast(args[0], lanes), ir.Constant(lanes, 0))


@_word(vectors.pick, vector, mask, vector, vector)
def _lower_pick(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.select(*args)


class _Literal(AbstractTemplate):
    """The shape of a tile is part of the machine code."""

    prefer_literal = True


@infer_global(vectors.product_tile)
class _ProductTile(_Literal):
    def generic(self, args: Any, kws: Any) -> Any:
        whole = types.intp
        literal = isinstance(args[0], types.IntegerLiteral) and isinstance(args[1], types.IntegerLiteral)
        kinds = (*args[:2], whole, args[3], whole, args[5], whole, args[7], whole, whole, whole)
        return signature(types.void, *kinds) if literal else None


@infer_global(vectors.sum_tile)
class _SumTile(_Literal):
    def generic(self, args: Any, kws: Any) -> Any:
        whole = types.intp
        literal = isinstance(args[0], types.IntegerLiteral) and isinstance(args[1], types.IntegerLiteral)
        kinds = (*args[:2], whole, args[3], whole, args[5], args[6], whole)
        return signature(types.void, *kinds) if literal else None


class _Tile:
    """Accumulators of a tile, held in registers while a loop runs over what is summed."""

    def __init__(self, context: Any, builder: Any, count: int) -> None:
        self.context, self.builder = context, builder
        self.sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(count)]
        self.begin([ir.Constant(_VECTOR, [0.0] * WIDTH)] * count)

    def begin(self, values: Any) -> None:
        for value, place in zip(values, self.sums, strict=True):
            self.builder.store(value, place)

    def load(self, kind: Any, array: Any, place: Any, offset: int = 0) -> Any:
        where = self.builder.add(place, ir.Constant(place.type, offset))
        loaded = self.builder.load(_address(self.context, self.builder, kind, array, where))
        loaded.align = 8
        return loaded

    def add(self, number: int, left: Any, right: Any, sign: int = 1) -> None:
        place, builder = self.sums[number], self.builder
        combine = builder.fadd if sign > 0 else builder.fsub
        product = builder.fmul(left, right, flags=_FLAGS)
        builder.store(combine(builder.load(place), product, flags=_FLAGS), place)

    def store(self, number: int, kind: Any, array: Any, place: Any) -> None:
        address = _address(self.context, self.builder, kind, array, place)
        self.builder.store(self.builder.load(self.sums[number]), address).align = 8


@_lowers(vectors.product_tile, *[types.Any] * 11)
def _lower_product_tile(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    rows, columns = sig.args[0].literal_value, sig.args[1].literal_value
    _, _, length, left, i, right, j, out, place, down, across = args
    tile = _Tile(context, builder, 2 * rows * columns)
    two = ir.Constant(length.type, 2)
    span = builder.mul(length, two)
    starts = [
        [builder.mul(builder.add(first, ir.Constant(first.type, x)), span) for x in range(count)]
        for first, count in ((i, rows), (j, columns))
    ]
    with cgutils.for_range(builder, length) as loop:
        at = builder.mul(loop.index, two)
        b = [[tile.load(sig.args[5], right, builder.add(s, at), c) for c in (0, 1)] for s in starts[1]]
        for x, start in enumerate(starts[0]):
            re, im = (tile.load(sig.args[3], left, builder.add(start, at), c) for c in (0, 1))
            for y, (u, v) in enumerate(b):
                number = 2 * (x * columns + y)
                tile.add(number, re, u)
                tile.add(number, im, v)
                tile.add(number + 1, re, v)
                tile.add(number + 1, im, u, -1)
    for x in range(rows):
        for y in range(columns):
            here = builder.add(place, builder.mul(down, ir.Constant(down.type, x)))
            here = builder.add(here, builder.mul(across, ir.Constant(across.type, y)))
            tile.store(2 * (x * columns + y), sig.args[7], out, here)
            here = builder.add(here, ir.Constant(here.type, 1))
            tile.store(2 * (x * columns + y) + 1, sig.args[7], out, here)
    return context.get_dummy_value()


@_lowers(vectors.sum_tile, *[types.Any] * 8)
def _lower_sum_tile(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    rows, adds = sig.args[0].literal_value, sig.args[1].literal_value
    _, _, length, table, row, weights, out, place = args
    places = [builder.add(place, ir.Constant(place.type, x)) for x in range(rows)]
    tile = _Tile(context, builder, rows)
    if adds:
        tile.begin([tile.load(sig.args[6], out, here) for here in places])
    data = context.make_array(sig.args[3])(context, builder, table).data
    starts = [builder.mul(builder.add(row, ir.Constant(row.type, x)), length) for x in range(rows)]
    with cgutils.for_range(builder, length) as loop:
        weight = tile.load(sig.args[5], weights, loop.index)
        for x, start in enumerate(starts):
            element = builder.load(builder.gep(data, [builder.add(start, loop.index)]))
            tile.add(x, _filled(builder, element), weight)
    for x, here in enumerate(places):
        tile.store(x, sig.args[6], out, here)
    return context.get_dummy_value()
