"""Independent numbers of a calculation: what of all terms and components has to be integrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from .. import loops
from ..lattice import Integer, Real
from ..occupations import Weight
from ..quantities import Integral
from ..quantities.record import Kernel, Term
from .weights import SURFACES

#: Coefficients below this are rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Mix:
    """Channels first, first + 1 ... from the components of some terms of one weight.

    terms : with the shapes of their components; matrix : (channel, component)
    """

    terms: tuple[tuple[Term, tuple[int, ...]], ...]
    first: int
    matrix: csr_array

    def channels(self, components: Sequence[Real | None]) -> Real:
        """Components : of each term, (k, components ..., level), None: zeros; returns (k, level, channel)."""
        count, levels = next((part.shape[0], part.shape[-1]) for part in components if part is not None)
        mixed = np.zeros((count, levels, self.matrix.shape[0]))
        for part, columns in zip(components, self._columns, strict=True):
            if part is not None:
                # Kernels make them with the components last.
                values = part.transpose(0, -1, *range(1, part.ndim - 1)).reshape(count, levels, -1)
                loops.mix(np.ascontiguousarray(values), *columns, mixed)
        return mixed

    @cached_property
    def _columns(self) -> tuple[tuple[Integer, Integer, Real], ...]:
        """Of the components of each term: where those of each begin, channels, and factors."""
        edges = np.cumsum([0, *(prod(shape) for _, shape in self.terms)])
        parts = [csc_array(self.matrix[:, start:stop]) for start, stop in pairwise(edges)]
        return tuple((part.indptr.astype(int), part.indices.astype(int), part.data) for part in parts)

    @cached_property
    def sizes(self) -> Mix:
        """The same for components that have no sign."""
        return Mix(self.terms, self.first, abs(self.matrix))


@dataclass(frozen=True, eq=False)
class Channels:
    """Linear combinations of the components of all terms; each component of a result is a multiple of one.

    terms : in the order of their components
    shapes : components of each term before the band axis
    combination : (channel, component of all terms)
    owner : (channel,) number of the integral that a channel belongs to, -1 for those of `raw`
    outputs : for each integral, its shape without the Fermi energies, and for each of its components the
        channel and the factor, 0 where the component vanishes
    raw : channels of terms that are needed as they are, without the symmetry of any integral
    """

    terms: tuple[Term, ...]
    shapes: tuple[tuple[int, ...], ...]
    combination: Real
    owner: Integer
    outputs: tuple[tuple[tuple[int, ...], Integer, Real], ...]
    raw: Mapping[Term, slice]

    @property
    def count(self) -> int:
        return len(self.combination)

    @cached_property
    def amplitude(self) -> Real:
        """Largest factor with which each channel enters a component, (channel,)."""
        found = np.zeros(self.count)
        for _, channel, factor in self.outputs:
            np.maximum.at(found, channel, np.abs(factor))
        return found

    @cached_property
    def of_surface(self) -> NDArray[np.bool_]:
        """Channels that states at the Fermi energy alone decide about, at least in part, (channel,)."""
        edges = np.cumsum([0, *(prod(shape) for shape in self.shapes)])
        found = np.zeros(self.count, dtype=bool)
        for number, term in enumerate(self.terms):
            if term.weight in SURFACES:
                found |= self.combination[:, edges[number] : edges[number + 1]].any(axis=1)
        return found

    @cached_property
    def sea_amplitude(self) -> Real:
        """The amplitude, 0 of channels of a Fermi surface, (channel,)."""
        return np.where(self.of_surface, 0.0, self.amplitude)

    def of_owner(self, values: Sequence[float], other: float) -> Real:
        """A value of each integral over the amplitude of its channels, (channel,); other : of `raw` ones."""
        found = np.append(np.asarray(values, dtype=float), other)[self.owner]
        return np.where(self.amplitude > 0, found / np.where(self.amplitude > 0, self.amplitude, 1.0), other)

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The weights that occur."""
        return tuple(dict.fromkeys(term.weight for term in self.terms))

    @cached_property
    def mixes(self) -> Mapping[tuple[Weight, bool], Mix]:
        """How channels come of the terms with one weight: by weight and whether they are `cold`."""
        kinds = dict.fromkeys((term.weight, term.cold) for term in self.terms)
        return {
            kind: self._mix([term for term in self.terms if (term.weight, term.cold) == kind])
            for kind in kinds
        }

    @cached_property
    def filled_mixes(self) -> Mapping[Weight, Mix]:
        """The same of the terms whose sum in a superconductor lacks what filled electron bands give."""
        lacking = [term for term in self.terms if term.filled_constant]
        kinds = dict.fromkeys(term.weight for term in lacking)
        return {kind: self._mix([term for term in lacking if term.weight is kind]) for kind in kinds}

    def _mix(self, chosen: Sequence[Term]) -> Mix:
        edges = np.cumsum([0, *(prod(shape) for shape in self.shapes)])
        numbers = [self.terms.index(term) for term in chosen]
        block = np.concatenate([self.combination[:, edges[i] : edges[i + 1]] for i in numbers], axis=1)
        own = np.flatnonzero(block.any(axis=1))
        span = slice(own[0], own[-1] + 1) if len(own) else slice(0, 0)
        terms = tuple((self.terms[i], self.shapes[i]) for i in numbers)
        return Mix(terms, span.start, csr_array(block[span]))

    def values(self, index: int, sums: Real) -> Real:
        """Components of an integral from the channels (channel, ...), (component dims ..., ...)."""
        shape, channel, factor = self.outputs[index]
        found = sums[channel] * factor.reshape(-1, *[1] * (sums.ndim - 1))
        return found.reshape(*shape, *sums.shape[1:])

    def raw_sums(self, sums: Real) -> dict[Term, Real]:
        """Components of the terms that are needed as they are, (component dims ..., ...)."""
        return {
            term: sums[place].reshape(*self.shapes[self.terms.index(term)], *sums.shape[1:])
            for term, place in self.raw.items()
        }

    def bounds(self, index: int, bars: Real) -> Real:
        """The same for what has no sign."""
        shape, channel, factor = self.outputs[index]
        found = bars[channel] * np.abs(factor).reshape(-1, *[1] * (bars.ndim - 1))
        return found.reshape(*shape, *bars.shape[1:])


def channels_of(
    chosen: Sequence[Integral],
    terms: Sequence[Term],
    shapes: Sequence[tuple[int, ...]],
    projectors: Mapping[Kernel, Real],
    asked: Mapping[str, NDArray[np.bool_]] | None = None,
) -> Channels:
    """Channels of the integrals.

    shapes : components of each term; projectors : the mean over the symmetry group on the components of a
        kernel, (component, component), where there is more than the identity
    asked : by name of an integral, where its components are that are integrated, of length 1 along dims of
        which all are; the others become zero
    Integrals whose combination is not linear are left as their first term; `Integral.combine` is applied to
    the result.
    """
    edges = np.cumsum([0, *(prod(shape) for shape in shapes)])
    projector = np.eye(edges[-1])
    for i, term in enumerate(terms):
        if term.kernel in projectors:
            projector[edges[i] : edges[i + 1], edges[i] : edges[i + 1]] = projectors[term.kernel]
    rows: list[Real] = []
    owners: list[int] = []
    outputs = []
    for number, integral in enumerate(chosen):
        shape, matrix = _linear(integral, terms, shapes, edges)
        matrix = matrix @ projector
        if asked and integral.name in asked:
            matrix[~np.broadcast_to(asked[integral.name], shape).ravel()] = 0.0
        channel, factor, own = _distinct(matrix)
        outputs.append((shape, channel + len(owners), factor))
        rows.extend(own)
        owners.extend([number] * len(own))
    raw: dict[Term, slice] = {}
    for term in _raw_terms(chosen, terms):
        number = terms.index(term)
        own = list(projector[edges[number] : edges[number + 1]])
        raw[term] = slice(len(rows), len(rows) + len(own))
        rows.extend(own)
        owners.extend([-1] * len(own))
    return _by_weight(
        Channels(
            tuple(terms), tuple(shapes), np.array(rows), np.array(owners, dtype=int), tuple(outputs), raw
        )
    )


def _by_weight(channels: Channels) -> Channels:
    """The same in another order: those of each weight side by side, where that is possible."""
    kinds = channels.weights
    edges = np.cumsum([0, *(prod(shape) for shape in channels.shapes)])
    has = np.zeros((channels.count, len(kinds)), dtype=bool)
    for i, term in enumerate(channels.terms):
        has[:, kinds.index(term.weight)] |= channels.combination[:, edges[i] : edges[i + 1]].any(axis=1)
    # Those of the first weight alone, then mixed ones, then those of the others.
    order = np.lexsort((*has.T[::-1], ~has[:, 0] + 0))
    if any(len(range(*place.indices(channels.count))) > 0 for place in channels.raw.values()):
        # Channels of a raw term stay together.
        raw = np.concatenate([np.arange(place.start, place.stop) for place in channels.raw.values()])
        order = np.concatenate([order[~np.isin(order, raw)], raw])
    place = np.argsort(order)
    outputs = tuple((shape, place[channel], factor) for shape, channel, factor in channels.outputs)
    moved = {
        term: slice(int(place[own.start]), int(place[own.start]) + own.stop - own.start)
        for term, own in channels.raw.items()
    }
    return replace(
        channels,
        combination=channels.combination[order],
        owner=channels.owner[order],
        outputs=outputs,
        raw=moved,
    )


def _raw_terms(chosen: Sequence[Integral], terms: Sequence[Term]) -> list[Term]:
    """Terms that decide about a result beside its linear combination."""
    deciding = [term for integral in chosen if integral.can_be_undefined for term in integral.terms]
    deciding += [term for term in terms if term.needed_alone]
    return list(dict.fromkeys(deciding))


def _linear(
    integral: Integral, terms: Sequence[Term], shapes: Sequence[tuple[int, ...]], edges: Integer
) -> tuple[tuple[int, ...], Real]:
    """Shape of an integral's components and the matrix that makes them of all terms' components."""
    columns: dict[int, Real] = {}
    shape: tuple[int, ...] = ()
    own = integral.terms[:1] if integral.can_be_undefined else integral.terms
    for term in own:
        if term not in terms:
            continue
        number = terms.index(term)
        size = prod(shapes[number])
        units = np.eye(size).reshape(*shapes[number], size)
        if integral.can_be_undefined:
            made = units
        else:
            parts = [
                units
                if other is term
                else np.zeros((*shapes[terms.index(other)], size))
                if other in terms
                else 0.0
                for other in integral.terms
            ]
            made = np.asarray(integral.combine(*parts))
        shape = made.shape[:-1]
        columns[number] = made.reshape(-1, size)
    matrix = np.zeros((prod(shape), edges[-1]))
    for number, block in columns.items():
        matrix[:, edges[number] : edges[number + 1]] = block
    return shape, matrix


def _distinct(matrix: Real) -> tuple[Integer, Real, list[Real]]:
    """Channel and factor of each row, and the rows that are no multiples of others."""
    channel = np.zeros(len(matrix), dtype=int)
    factor = np.zeros(len(matrix))
    own: list[Real] = []
    for i, row in enumerate(matrix):
        size = float(np.abs(row).max(initial=0.0))
        if size < _ROUNDING:
            continue
        lead = row[np.abs(row) > size * (1 - 1e-6)][0]
        scaled = row / lead
        alike = [j for j, known in enumerate(own) if np.abs(known - scaled).max() < _ROUNDING]
        if not alike:
            own.append(scaled)
        channel[i], factor[i] = alike[0] if alike else len(own) - 1, lead
    if not own:
        # Nothing is allowed: one channel of zeros keeps the shapes.
        own.append(np.zeros(matrix.shape[1]))
    return channel, factor, own
