"""Which entries the admin wants shared: pure decisions on names, kinds and URLs."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from wheelferry.native.judge import Policy
from wheelferry.uvcache.entry import EntryKey, Kind

_WILDCARDS = frozenset("*?[")


class Rules(NamedTuple):
    """Include and exclude patterns; an exclusion wins over an inclusion.

    Attributes:
        include: Package name patterns (`*`, `?`, `[...]`); empty admits every name.
        exclude: Package name patterns.
        include_indexes: Index URLs, or URL patterns with `*`; empty admits every index.
        exclude_indexes: Index URLs, or URL patterns.
        kinds: Kinds of entries that are shared at all.
        native: Which natively built wheels of the store count here: `fitness` obeys it.

    A URL without wildcards names an index: it matches by the key that uv derives from
    it, or as a prefix of the file's URL.  One with wildcards is matched against the URL
    that the file came from.  `pypi` is short for PyPI.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    include_indexes: Sequence[str] = ()
    exclude_indexes: Sequence[str] = ()
    kinds: Collection[Kind] = tuple(Kind)
    native: Policy = Policy.CHECKED

    @property
    def has_indexes(self) -> bool:
        """Whether a decision may need an entry's URLs."""
        return bool(self.include_indexes or self.exclude_indexes)

    def refuse(self, key: EntryKey, name: str, urls: Sequence[str]) -> str | None:
        """Return why the entry is not to be shared, or None if it is.

        `urls` are those that the entry's pointer holds in the clear.
        """
        if key.kind not in self.kinds:
            return f"kind {key.kind.value} is not shared (kinds)"
        if reason := self.refuse_name(name):
            return reason
        if self.include_indexes and not _matches(self.include_indexes, key, urls):
            return "no pattern of include_indexes matches where it came from"
        if _matches(self.exclude_indexes, key, urls):
            return "a pattern of exclude_indexes matches where it came from"
        return _find_secret(urls)

    def refuse_name(self, name: str) -> str | None:
        """Return why a package of that normalised name is not shared, or None."""
        if any(fnmatchcase(name, pattern) for pattern in self.exclude):
            return "its name matches an exclude pattern"
        if self.include and not any(fnmatchcase(name, p) for p in self.include):
            return "its name matches no include pattern"
        return None


def _find_secret(urls: Sequence[str]) -> str | None:
    if not urls:
        return None
    from wheelferry.uvcache.urls import secret_in  # noqa: PLC0415

    found = next(filter(None, map(secret_in, urls)), None)
    return found and f"its URL carries {found}"


def _matches(patterns: Sequence[str], key: EntryKey, urls: Sequence[str]) -> bool:
    if not patterns:
        return False
    # Most runs have no such patterns, and urllib is not light.
    from wheelferry.uvcache.indexkeys import index_keys  # noqa: PLC0415

    shard = key.shard.split("/")
    for pattern in patterns:
        if pattern == "pypi" and shard[0] == "pypi":
            return True
        if _WILDCARDS.isdisjoint(pattern):
            if shard[0] in ("index", "url") and shard[1] in index_keys(pattern):
                return True
            prefix = pattern.rstrip("/") + "/"
            if any(url.startswith(prefix) for url in urls):
                return True
        elif any(fnmatchcase(url, pattern) for url in urls):
            return True
    return False
