"""Settings as a shell gives them: text turned into meshes, energies and names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spinscreen.kernels import InputError, short, whole_number

from .settings import MOST_ENERGIES


def mesh_of_text(text: str) -> int | list[int]:
    """48, 48,48,48 or 48x48x48, also 1e2. Raises InputError for anything else."""
    try:
        counts = [whole_number(count_of_text(word)) for word in text.replace("x", ",").split(",")]
        if (whole := [count for count in counts if count is not None]) != counts:
            raise ValueError
    except ValueError:
        raise InputError(f"--kmesh: expected 48 or 48,48,48, found {short(text)}.") from None
    return whole[0] if len(whole) == 1 else whole


def count_of_text(text: str) -> int | float | str:
    """200000 or 2e5; what is no number stays a text, which the check of the setting refuses."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def shift_of_text(text: str) -> float | list[float]:
    """0.5 or 0.5,0.5,0. Raises InputError for anything else."""
    try:
        steps = [float(word) for word in text.split(",")]
    except ValueError:
        raise InputError(f"--kshift: expected 0.5 or 0.5,0.5,0, found {short(text)}.") from None
    return steps[0] if len(steps) == 1 else steps


def energies_of_text(text: str) -> NDArray[np.float64]:
    """eV: 18.4, 18.4,18.5 or start:stop:step. Raises InputError for anything else."""
    try:
        if ":" not in text:
            return np.array([float(word) for word in text.split(",")])
        start, stop, step = (float(word) for word in text.split(":"))
        if not np.isfinite([start, stop, step]).all():
            raise ValueError
        if (stop - start) / step > MOST_ENERGIES:
            raise InputError(
                f"--fermi-energy: expected at most {MOST_ENERGIES:,} energies, found {short(text)}."
            )
        # Half a step beyond the end keeps the last energy in spite of rounding.
        energies = np.arange(start, stop + step / 2, step)
    except (ValueError, ZeroDivisionError) as problem:
        if isinstance(problem, InputError):
            raise
        energies = np.empty(0)
    if energies.size == 0:
        raise InputError(
            f"--fermi-energy: expected 18.4, 18.4,18.5 or start:stop:step in eV, found {short(text)}."
        )
    return energies


def share_of_text(text: str) -> float:
    """0.01 or 1%. Raises InputError for anything else."""
    try:
        number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
        return float(number) / (100 if percent else 1)
    except ValueError:
        raise InputError(f"--tolerance: expected a share such as 0.01 or 1%, found {short(text)}.") from None


def window_of_text(text: str | None) -> tuple[float, float] | None:
    """-2:1 in eV. Raises InputError for anything else."""
    if text is None:
        return None
    try:
        low, high = (float(word) for word in text.split(":"))
        if not low < high or not np.isfinite([low, high]).all():
            raise ValueError
    except ValueError:
        raise InputError(
            f"--window: expected two energies in eV, the lower one first, such as -2:1, found {short(text)}."
        ) from None
    return low, high


def numbers_of_text(text: str, option: str) -> list[float]:
    """Three numbers with commas between. Raises InputError for anything else."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        raise InputError(f"{option}: expected three numbers such as 0,0,1, found {short(text)}.")
    return numbers


def names_of_text(text: str) -> list[str]:
    """Words with commas between."""
    return [word.strip() for word in text.split(",") if word.strip()]
