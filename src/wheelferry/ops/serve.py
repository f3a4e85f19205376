"""Which records of the store serve what locks ask for: pure.

A record serves a need if its name, version, source and hash are those of the lock, and
its tags those of the file that uv will choose there; of wheels that uv built from one
sdist or commit, the one that each interpreter would choose.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

from wheelferry.project.interpreter import (
    Interpreter,
    build_number,
    expand_tags,
    pick_best,
)
from wheelferry.project.need import FileKind, Need, Source, SourceKind
from wheelferry.store.view import LightRecord, RecordRef
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.indexkeys import canonical_url, index_keys

PYPI: Final = "https://pypi.org/simple"

_NO_HASH: Final = "the store has it without a hash, which serves no lock that has one"
_OTHER_HASH: Final = "the store has it with another hash than the lock"
_OTHER_SOURCE: Final = "the store has it from another source than the lock names"
_WHEELS: Final = frozenset({Kind.REGISTRY_WHEEL, Kind.URL_WHEEL})
_FROM_INDEX: Final = frozenset({Kind.REGISTRY_WHEEL, Kind.REGISTRY_SDIST})


class Served(NamedTuple):
    """What the store has for one need.

    Attributes:
        records: All that serve it: of each format, and of each build settings.
        reason: Why there is none; "" if there are, or the store just lacks it.
        is_elsewhere: Whether the store has it for other machines.
        unfit: Those that the interpreters would choose if this machine could use them.
    """

    need: Need
    records: tuple[LightRecord, ...] = ()
    reason: str = ""
    is_elsewhere: bool = False
    unfit: tuple[LightRecord, ...] = ()


def serve(
    needs: Iterable[Need],
    records: Iterable[LightRecord],
    pythons: Sequence[Interpreter],
    unfit: Callable[[LightRecord], str | None],
) -> tuple[Served, ...]:
    """Return for each need the records that serve it.

    Args:
        needs: What locks ask for.
        records: Of the formats in question, and at least all of the needs' names.
        pythons: The interpreters that needs have the numbers of.
        unfit: Says why this machine cannot use a record, or None.
    """
    by_name: dict[str, list[LightRecord]] = {}
    for record in records:
        by_name.setdefault(record.name, []).append(record)
    roots: dict[Source, frozenset[str]] = {}
    return tuple(
        _serve(need, by_name.get(need.name, ()), pythons, unfit, roots)
        for need in needs
    )


def find_roots(source: Source) -> frozenset[str]:
    """Return the directories below a bucket where uv keeps what is from a source.

    `pypi`, `index/<key>`, `url/<key>` or `git/<key>/<commit, 16 hex>`; none for what is
    no URL.  Several where uv versions disagree.
    """
    try:
        keys = index_keys(source.url)
        is_pypi = source.url.startswith(PYPI) and canonical_url(source.url) == PYPI
    except ValueError:
        return frozenset()
    if source.kind is SourceKind.GIT:
        return frozenset(f"git/{key}/{source.commit[:16]}" for key in keys)
    if source.kind is SourceKind.URL:
        return frozenset(f"url/{key}" for key in keys)
    found = {f"index/{key}" for key in keys}
    return frozenset({"pypi", *found} if is_pypi else found)


def _serve(
    need: Need,
    records: Sequence[LightRecord],
    pythons: Sequence[Interpreter],
    unfit: Callable[[LightRecord], str | None],
    roots: dict[Source, frozenset[str]],
) -> Served:
    near = [r for r in records if _is_version(r.version, need.version)]
    found = [r for r in near if _is_from(r, need.source, roots)]
    if not found:
        return Served(need, reason=_OTHER_SOURCE if near else "")
    candidates = _of_kind(need, found)
    hashed = [r for r in candidates if _has_hash(r, need.file.hashes)]
    if not hashed:
        return Served(need, reason=_why_unhashed(candidates))
    usable = [record for record in hashed if unfit(record) is None]
    if chosen := _chosen(need, usable, pythons):
        return Served(need, chosen)
    if chosen := _chosen(need, hashed, pythons):
        reason = unfit(chosen[0]) or ""
        return Served(need, reason=reason, is_elsewhere=True, unfit=chosen)
    tags = ", ".join(sorted({record.tags for record in hashed})[:4])
    here = ", ".join(str(pythons[number]) for number in need.pythons)
    reason = f"the store has it for {tags}, which does not fit {here}"
    return Served(need, reason=reason, is_elsewhere=True)


def _is_from(
    record: LightRecord, source: Source, roots: dict[Source, frozenset[str]]
) -> bool:
    if source.kind is SourceKind.ANY_INDEX:
        return Kind(record.kind) in _FROM_INDEX
    if source not in roots:
        roots[source] = find_roots(source)
    return _root(record) in roots[source]


def _of_kind(need: Need, records: Iterable[LightRecord]) -> list[LightRecord]:
    """Return the records that are of the file that is needed."""
    if need.file.kind is FileKind.ANY:
        return list(records)
    if need.file.kind is FileKind.SDIST:
        return [r for r in records if Kind(r.kind) not in _WHEELS]
    wanted = _tag_key(need.file.tags)
    return [
        r for r in records if Kind(r.kind) in _WHEELS and _tag_key(r.tags) == wanted
    ]


def _chosen(
    need: Need, records: Iterable[LightRecord], pythons: Sequence[Interpreter]
) -> tuple[LightRecord, ...]:
    """Return the records that the interpreters would choose among these.

    In each format and for each build settings for itself: which of them a job will use
    is not known here.
    """
    if need.file.kind is FileKind.WHEEL:
        return tuple(records)
    groups: dict[tuple[str, str], list[LightRecord]] = {}
    for record in records:
        bucket = record.format_id.partition("/")[0]
        groups.setdefault((bucket, record.settings), []).append(record)
    chosen: dict[RecordRef, LightRecord] = {}
    for number in need.pythons:
        best = {
            key: pick_best(pythons[number], (record.tags for record in group))
            for key, group in groups.items()
        }
        fitting = [key for key, tags in best.items() if tags is not None]
        # uv builds nothing where a wheel fits.
        downloaded = [key for key in fitting if key[0].startswith("wheels-")]
        for key in downloaded or fitting:
            for record in groups[key]:
                if record.tags == best[key]:
                    chosen[record.ref] = record
    return tuple(chosen.values())


def _has_hash(record: LightRecord, hashes: Collection[str]) -> bool:
    return not hashes or not set(hashes).isdisjoint(record.hashes)


def _why_unhashed(candidates: Sequence[LightRecord]) -> str:
    if not candidates:
        return ""
    return _OTHER_HASH if any(r.hashes for r in candidates) else _NO_HASH


def _root(record: LightRecord) -> str:
    """Return the part of a record's shard that tells its source."""
    parts = record.shard.split("/")
    depth = {"pypi": 1, "git": 3}.get(parts[0], 2)
    return "/".join(parts[:depth])


def _tag_key(tags: str) -> tuple[tuple[int, str], frozenset[str]]:
    """Return what two spellings of the same tags have in common."""
    return build_number(tags), expand_tags(tags)


def _is_version(version: str, wanted: str) -> bool:
    """Return whether a record has the version that a lock names, however it is spelled."""
    if not wanted or version == wanted:
        return True
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    try:
        return Version(version) == Version(wanted)
    except InvalidVersion:
        return False
