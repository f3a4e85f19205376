"""Stand-ins for a store, and for the parts of one, that change some of what it does."""

from typing import Any, Final

PARTS: Final = frozenset({"upkeep", "usage"})
"""Attributes of a store that have calls of their own; what watches its calls sees these."""


class Around:
    """Anything, with all that it has, but what a class derived from this has itself.

    Args:
        inner: What it is.
        instead: Attributes to have in place of those of `inner`.
    """

    def __init__(self, inner: Any, **instead: object) -> None:
        self._inner = inner
        vars(self).update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
