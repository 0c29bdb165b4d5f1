"""Properties that are computed once."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A type checker holds a property against a protocol, but not a cached one.
    from builtins import property as kept
else:
    from functools import cached_property as kept

__all__ = ["kept"]
