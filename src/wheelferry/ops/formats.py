"""Which formats of uv's cache a pull is to restore on this machine."""

from collections.abc import Sequence
from pathlib import Path

from wheelferry.events import Event, Level
from wheelferry.ops.tiers import UV_VERSIONS, Tiers
from wheelferry.uvcache.formats import (
    NEWEST_SEEN,
    FormatId,
    choose_formats,
    is_newer_format,
    parse_release,
)
from wheelferry.uvcache.installed import find_binaries, read_versions
from wheelferry.uvcache.reading import find_buckets


def find_formats(
    tiers: Tiers, *, versions: Sequence[str], paths: Sequence[Path]
) -> tuple[FormatId, ...]:
    """Return the formats to restore, the preferred ones first.

    Those that the uv versions of this machine read, and those of the buckets that the
    cache has; if there is neither, all.

    Args:
        tiers: For the cache, and for the memory of what was found.
        versions: If any, the versions that count instead of those found.
        paths: Directories to look for uv in.
    """
    if versions:
        releases = tuple(map(parse_release, versions))
    else:
        found = read_versions(
            find_binaries(paths),
            memory=tiers.state / UV_VERSIONS,
            disk=tiers.disk,
            now_s=tiers.now(),
        )
        releases = found.releases
        for failure in found.failed:
            tiers.emit(
                Event(
                    name="uv.refused",
                    level=Level.WARNING,
                    message=f"cannot tell the version of {failure}",
                )
            )
    if releases and max(releases) > NEWEST_SEEN:
        tiers.emit(
            Event(
                name="uv.newer",
                level=Level.INFO,
                message=f"uv {_spell(max(releases))} is newer than the newest that this "
                f"wheelferry was tried with ({_spell(NEWEST_SEEN)})",
                fields={"uv": _spell(max(releases))},
            )
        )
    buckets = find_buckets(tiers.cache)
    for bucket in filter(is_newer_format, buckets):
        tiers.emit(unknown_format(bucket))
    return choose_formats(releases, buckets)


def unknown_format(name: str, entries: int | None = None) -> Event:
    """Return the event for a bucket or a shape that this version does not know.

    An error if a newer uv made it: then nothing is shared any more of what it caches.
    """
    is_newer = is_newer_format(name)
    count = "its entries are" if entries is None else f"its {entries} entries are"
    if is_newer:
        message = (
            f"{name} of the uv cache is from a uv newer than this wheelferry: {count} "
            "not shared, and nothing that this uv will cache; upgrade wheelferry"
        )
    else:
        message = f"{name} of the uv cache is in an unknown format: {count} not shared"
    return Event(
        name="format.unknown",
        level=Level.ERROR if is_newer else Level.WARNING,
        message=message,
        fields={"format": name, "entries": entries},
    )


def _spell(release: Sequence[int]) -> str:
    return ".".join(map(str, release))
