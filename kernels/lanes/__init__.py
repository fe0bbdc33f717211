"""One k point in each lane of a vector: what is done for every k, on arrays whose last axis is the lane."""

from .eigensolver import eigh

__all__ = ["eigh"]
