"""Which formats of uv's cache a pull is to restore on this machine."""

from collections.abc import Sequence
from pathlib import Path

from wheelferry.events import Event, Level
from wheelferry.ops.tiers import UV_VERSIONS, Tiers
from wheelferry.uvcache.formats import (
    NEWEST_SEEN,
    FormatId,
    choose_formats,
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
            find_binaries(paths), memory=tiers.state / UV_VERSIONS, disk=tiers.disk
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
    return choose_formats(releases, find_buckets(tiers.cache))


def _spell(release: Sequence[int]) -> str:
    return ".".join(map(str, release))
