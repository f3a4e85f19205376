"""Evaluate the markers of a lock for one interpreter.  Pure.

A marker may ask for extras and dependency groups, in two spellings: uv's own for those
that exclude each other (`extra == 'extra-3-app-cpu'`, also `group-...` and
`project-...`), and PEP 751's (`'cpu' in extras`).  Which of them a job asks for may be
unknown; then both answers count as true.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from packaging.markers import (
    InvalidMarker,
    Marker,
    UndefinedComparison,
    UndefinedEnvironmentName,
)

IsActive: TypeAlias = Callable[[str, str], bool | None]
"""Of a variable (`extra`, `extras`, `dependency_groups`) and a name; None is unknown."""

_ATOM: Final = re.compile(
    r"""\bextra\s*(?P<eq>[=!]=)\s*(?P<q>["'])(?P<extra>[^"']*)(?P=q)"""
    r"""|(?P<r>["'])(?P<name>[^"']*)(?P=r)\s+(?P<no>not\s+)?in\s+"""
    r"""(?P<set>extras|dependency_groups)\b"""
)
_TRUE: Final = "python_version >= '0'"
_FALSE: Final = "python_version < '0'"
_MAX_MARKER: Final = 64 << 10


def unknown(variable: str, name: str) -> None:
    """Say of each extra and group that a job may ask for it or not."""
    del variable, name


class Conditions:
    """The markers that hold for one interpreter; each is evaluated once."""

    def __init__(
        self, environment: Mapping[str, str], is_active: IsActive = unknown
    ) -> None:
        self._environment = dict(environment)
        self._is_active = is_active
        self._known: dict[str, bool] = {"": True}

    def hold(self, marker: str) -> bool:
        """Return whether a marker holds, or may.

        One that cannot be evaluated may: what is needless in a pull costs less than
        what is missing.
        """
        if marker not in self._known:
            self._known[marker] = self._evaluate(marker)
        return self._known[marker]

    def _evaluate(self, marker: str) -> bool:
        if len(marker) > _MAX_MARKER:
            return True
        plain = _ATOM.sub(self._decide, marker)
        try:
            return Marker(plain).evaluate(self._environment)
        except (
            InvalidMarker,
            UndefinedComparison,
            UndefinedEnvironmentName,
            RecursionError,
        ):
            return True

    def _decide(self, match: re.Match[str]) -> str:
        if match["set"]:
            variable, name, is_wanted = match["set"], match["name"], not match["no"]
        else:
            variable, name = "extra", match["extra"]
            is_wanted = match["eq"] == "=="
        active = self._is_active(variable, name)
        return _TRUE if active is None or active is is_wanted else _FALSE
