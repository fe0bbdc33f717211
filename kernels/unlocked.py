"""`functools.cached_property` as it is from Python 3.12 on: without a lock.

Before, all instances of a class share one for each property, and who computes the property holds it: threads
that compute the same of different k points wait for each other.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(functools.cached_property):  # noqa: N801 : it is a decorator
        """For what one thread has to itself: two that share an instance may both compute it."""

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            if instance is None:
                return self
            # Not called again: what is found in the instance comes first.
            value = vars(instance)[self.attrname] = self.func(instance)
            return value


__all__ = ["cached_property"]
