"""Numbers with their errors, as tables print them."""

from __future__ import annotations

import math

#: Share of a value below which its error is that of rounding.
_EXACT = 1e-10

#: Sizes outside of which a number is printed with a power of ten.
_SMALLEST, _LARGEST = 1e-3, 1e7


def counted(number: int, noun: str) -> str:
    """A number of things: 1 material, 2 materials."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def with_error(value: float, error: float | None) -> str:
    """The value with one digit beyond the first of its error: "1536.2±2.3", "(-3.84±0.12)e-05".

    error : NaN where it is not known ("1540±?", three digits), None where there is none; without one, or with
        one that is no more than rounding, six digits of the value
    """
    if error is None or not math.isfinite(value) or error <= _EXACT * abs(value):
        return f"{value + 0.0:.6g}"
    if not math.isfinite(error):
        # Nobody knows whether even these hold; more would look exact.
        return f"{float(f'{value:.3g}') + 0.0:.7g}±?"
    size = max(abs(value), error)
    exponent = 0 if _SMALLEST <= size < _LARGEST else math.floor(math.log10(size))
    value, error = value / 10.0**exponent, error / 10.0**exponent
    digits = 1 - math.floor(math.log10(error))
    # Adding zero takes the sign from a rounded zero.
    shown, bar = (round(number, digits) + 0.0 for number in (value, error))
    text = f"{shown:.{max(digits, 0)}f}±{bar:.{max(digits, 0)}f}"
    return text if exponent == 0 else f"({text})e{exponent:+03d}"
