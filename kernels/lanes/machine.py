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


class _StayingLoad(ir.LoadInstr):
    """A load that LLVM moves nowhere: it calls that volatile."""

    def descr(self, buf: list[str]) -> None:
        text: list[str] = []
        super().descr(text)
        buf.append("".join(text).replace("load ", "load volatile ", 1))


class _Tile:
    """Accumulators of a tile, held in registers while a loop runs over what is summed."""

    def __init__(self, context: Any, builder: Any, count: int) -> None:
        self.context, self.builder = context, builder
        self.sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(count)]
        self.begin([ir.Constant(_VECTOR, [0.0] * WIDTH)] * count)

    def begin(self, values: Any) -> None:
        for value, place in zip(values, self.sums, strict=True):
            self.builder.store(value, place)

    def load(self, kind: Any, array: Any, place: Any, offset: int = 0, stays: bool = False) -> Any:
        """One vector; `stays` : it is not to be read earlier than here."""
        where = self.builder.add(place, ir.Constant(place.type, offset))
        address = _address(self.context, self.builder, kind, array, where)
        if stays:
            loaded = _StayingLoad(self.builder.block, address, "stays")
            self.builder._insert(loaded)
        else:
            loaded = self.builder.load(address)
        loaded.align = 8
        return loaded

    def add(self, number: int, left: Any, right: Any, sign: int = 1) -> None:
        place, builder = self.sums[number], self.builder
        combine = builder.fadd if sign > 0 else builder.fsub
        product = builder.fmul(left, right, flags=_FLAGS)
        builder.store(combine(builder.load(place), product, flags=_FLAGS), place)

    def sum(self, number: int) -> Any:
        return self.builder.load(self.sums[number])

    def put(self, value: Any, kind: Any, array: Any, place: Any) -> None:
        self.builder.store(value, _address(self.context, self.builder, kind, array, place)).align = 8

    def store(self, number: int, kind: Any, array: Any, place: Any) -> None:
        self.put(self.sum(number), kind, array, place)


@_lowers(vectors.product_tile, *[types.Any] * 11)
def _lower_product_tile(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    rows, columns = sig.args[0].literal_value, sig.args[1].literal_value
    _, _, length, left, i, right, j, out, place, down, across = args
    # Without the 32 registers of AVX-512 one column is what fits.
    step = columns if WIDTH == 8 else 1
    for first in range(0, columns, step):
        tile = _Tile(context, builder, 3 * rows * step)
        span = builder.mul(length, ir.Constant(length.type, 2))
        lefts, rights = (
            [builder.mul(builder.add(begin, ir.Constant(begin.type, x)), span) for x in range(start, stop)]
            for begin, start, stop in ((i, 0, rows), (j, first, first + step))
        )
        with cgutils.for_range(builder, length) as loop:
            at = builder.mul(loop.index, ir.Constant(length.type, 2))
            a = [_Factor(tile, sig.args[3], left, builder.add(start, at), builder.fsub) for start in lefts]
            b = [_Factor(tile, sig.args[5], right, builder.add(start, at), builder.fadd) for start in rights]
            _multiply(tile, a, b)
        for x in range(rows):
            for y in range(step):
                here = builder.add(place, builder.mul(down, ir.Constant(down.type, x)))
                here = builder.add(here, builder.mul(across, ir.Constant(across.type, first + y)))
                reals, imaginaries, both = (tile.sum(3 * (x * step + y) + part) for part in range(3))
                tile.put(builder.fadd(reals, imaginaries), sig.args[7], out, here)
                im = builder.fadd(builder.fsub(both, reals), imaginaries)
                tile.put(im, sig.args[7], out, builder.add(here, ir.Constant(here.type, 1)))
    return context.get_dummy_value()


class _Factor:
    """A complex vector in memory: its real part, its imaginary part, and what `combine` makes of them."""

    def __init__(self, tile: _Tile, kind: Any, array: Any, place: Any, combine: Callable[..., Any]) -> None:
        self._where, self._combine = (tile, kind, array, place), combine

    def part(self, number: int, stays: bool) -> Any:
        tile, kind, array, place = self._where
        if number < 2:
            return tile.load(kind, array, place, number, stays)
        return self._combine(*(tile.load(kind, array, place, part, stays) for part in (0, 1)))


def _multiply(tile: _Tile, left: list[_Factor], right: list[_Factor]) -> None:
    """Add conj(a) b as Gauss does, with three products: of real parts, of imaginary ones, of a' and b'.

    With a' = re a - im a and b' = re b + im b the imaginary part is third minus first plus second.
    """
    if len(left) * len(right) <= 6:
        parts = [[factor.part(number, False) for number in range(3)] for factor in (*left, *right)]
        for x, a in enumerate(parts[: len(left)]):
            for y, b in enumerate(parts[len(left) :]):
                for number in range(3):
                    tile.add(3 * (x * len(right) + y) + number, a[number], b[number])
        return
    # 27 sums leave five registers, so that loads have to stay where they are said.
    for number in range(3):
        columns = [factor.part(number, True) for factor in right]
        for x, factor in enumerate(left):
            row = factor.part(number, True)
            for y, column in enumerate(columns):
                tile.add(3 * (x * len(right) + y) + number, row, column)


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
