"""Packages that an admin has removed from the store, and that must not come back: pure."""

from collections.abc import Iterable

from packaging.utils import canonicalize_version

REASON = "it was removed from the store for good (`wheelferry rm`)"


class Bans:
    """What is forbidden.

    Args:
        bans: Normalised names, and versions; "" stands for all of them.
    """

    def __init__(self, bans: Iterable[tuple[str, str]]) -> None:
        self._versions: dict[str, set[str]] = {}
        for name, version in bans:
            self._versions.setdefault(name, set()).add(spell(version))

    def refuse(self, name: str, version: str) -> str | None:
        """Return why a package is forbidden, or None if it is not.

        A version forbids each way to spell it, and its local versions: `1.0` is `1.0.0`,
        and what was built from it as `1.0+cu118`.
        """
        versions = self._versions.get(name)
        if not versions:
            return None
        spelled = spell(version)
        public = spelled.partition("+")[0]
        return None if versions.isdisjoint(("", spelled, spell(public))) else REASON


def spell(version: str) -> str:
    """Return the one way to spell a version that there is for all of its spellings."""
    return canonicalize_version(version)
