"""Contractions over bands that NumPy can only do in many passes: compiled where there is a compiler.

Each function states a formula; its `_by_numpy` twin is the formula in NumPy, the oracle of the tests and
the substitute where the compiled module was not built. Both give the same numbers up to rounding.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .lattice import Complex, Integer, Real

compiled: Any
try:
    compiled = import_module("._contractions", __package__)
except ImportError:
    # No compiler at installation: the NumPy twins serve.
    compiled = None

__all__ = [
    "compiled",
    "conventional",
    "current_matrices",
    "interband",
    "observable_velocity",
    "scatter",
    "shared",
    "spread",
]


def interband(energy: Real, label: Integer, slopes_and_positions: Complex) -> tuple[Complex, Complex]:
    """v_a = dHbar_a + i (eps_n - eps_m) Abar_a and r_a = -i v_a/(eps_n - eps_m), theory section 3.

    energy, label : (k, band), bands of one label being one multiplet, inside which r is zero
    slopes_and_positions : (k, n, 6, m); returns two (k, n, a, m)
    """
    if compiled is None:
        return interband_by_numpy(energy, label, slopes_and_positions)
    count, size = energy.shape
    velocity = np.empty((count, size, 3, size), dtype=complex)
    position = np.empty_like(velocity)
    compiled.interband(count, size, energy, label, slopes_and_positions, velocity, position)
    return velocity, position


def interband_by_numpy(
    energy: Real, label: Integer, slopes_and_positions: Complex
) -> tuple[Complex, Complex]:
    """`interband` in NumPy."""
    difference = energy[:, :, None] - energy[:, None, :]
    velocity = (1j * difference)[:, :, None] * slopes_and_positions[:, :, 3:]
    velocity += slopes_and_positions[:, :, :3]
    inverse = np.zeros(difference.shape, dtype=complex)
    np.divide(-1j, difference, out=inverse, where=_separate(label))
    return velocity, inverse[:, :, None] * velocity


def observable_velocity(observable: Complex, velocity: Complex) -> Complex:
    """Theta v_a for all observables and axes, one matrix product per k: (k, n, observable, axis, m)."""
    count, size, observables, _ = observable.shape
    rows = observable.reshape(count, size * observables, size)
    product = rows @ velocity.reshape(count, size, 3 * size)
    return product.reshape(count, size, observables, 3, size)


def conventional(
    product: Complex, velocity: Complex, energy: Real, label: Integer, broadening: float
) -> Real:
    """T3 per band, averaged over the members of each multiplet.

    product : Theta v, (k, n, s, a, m); velocity : (k, n, a, m);
    returns (k, band, s, current_axis, field_axis)
    """
    count, size, observables = product.shape[:3]
    if compiled is None:
        return conventional_by_numpy(product, velocity, energy, label, broadening)
    values = np.empty((count, size, observables, 3, 3))
    compiled.conventional(count, size, observables, broadening, energy, label, product, velocity, values)
    return values


def conventional_by_numpy(
    product: Complex, velocity: Complex, energy: Real, label: Integer, broadening: float
) -> Real:
    """T3 as it is written, j = 1/2 (Theta v + h.c.)."""
    count, size = energy.shape
    current = current_matrices(product).reshape(count, size, -1, size)
    separate = _separate(label)
    inverse = np.zeros(separate.shape)
    denominator = (energy[:, :, None] - energy[:, None, :]) ** 2 + broadening**2
    np.divide(1.0, denominator, out=inverse, where=separate)
    # Im(j conj w) is the real product of (Re j, Im j) with (-Im w, Re w), which are the parts of i w.
    field = (1j * inverse)[:, :, None] * velocity
    values = -2 * (current.view(float) @ field.view(float).swapaxes(2, 3))
    return shared(values.reshape(count, size, -1, 3, 3), label)


def current_matrices(product: Complex) -> Complex:
    """j_a = 1/2 (Theta v_a + v_a Theta) from Theta v, (k, n, observable, axis, m)."""
    return (product + product.conj().swapaxes(1, 4)) / 2


def _separate(label: Integer) -> np.ndarray:
    return label[:, :, None] != label[:, None, :]


def shared(values: Real, label: Integer) -> Real:
    """Values (k, band, ...) averaged over the members of each multiplet."""
    member = ~_separate(label)
    share = member / member.sum(axis=2, keepdims=True)
    flat = values.reshape(*label.shape, -1)
    return (share @ flat).reshape(values.shape)


def scatter(slot: Integer, values: Real, slots: int) -> Real:
    """Sum of all rows of `values` (level, component) with the same slot, (slots, component).

    Levels with a slot of `slots` or more are left out.
    """
    if compiled is None:
        return scatter_by_numpy(slot, values, slots)
    sums = np.zeros((slots, values.shape[1]))
    compiled.scatter(len(slot), values.shape[1], slots, slot, np.ascontiguousarray(values), sums)
    return sums


def scatter_by_numpy(slot: Integer, values: Real, slots: int) -> Real:
    """`scatter` as a sparse product."""
    ones = np.ones(len(slot))
    highest = max(slots, int(slot.max(initial=0))) + 1
    placed = csr_array((ones, (slot, np.arange(len(slot)))), shape=(highest, len(slot)))
    return np.asarray(placed @ values)[:slots]


def spread(first: Integer, weights: Real, values: Real, slots: int) -> Real:
    """Sum over levels n of weights[n, j] * values[n] in slot first[n] + j, (slots, component).

    first : (level,), weights : (level, width), values : (level, component); what lies beyond the last slot
    is left out.
    """
    if compiled is None:
        return spread_by_numpy(first, weights, values, slots)
    sums = np.zeros((slots, values.shape[1]))
    compiled.spread(
        len(first),
        values.shape[1],
        slots,
        weights.shape[1],
        first,
        np.ascontiguousarray(weights),
        np.ascontiguousarray(values),
        sums,
    )
    return sums


def spread_by_numpy(first: Integer, weights: Real, values: Real, slots: int) -> Real:
    """`spread` as a sparse product."""
    levels, width = weights.shape
    slot = (first[:, None] + np.arange(width)).ravel()
    inside = slot < slots
    level = np.repeat(np.arange(levels), width)
    entries = (weights.ravel()[inside], (slot[inside], level[inside]))
    return np.asarray(csr_array(entries, shape=(slots, levels)) @ values)
