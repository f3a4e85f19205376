"""How long uv's builds took: seen by the daemon, told to promotions, carried in records.

Facts about uv, seen with 0.13.9: a build has a directory of its own in `builds-v0`, from
before its environment is made until its wheel has been renamed into the cache, some 10 ms
after that.  So a wheel belongs to the build whose directory was the first to go after it
had its name, and took from that directory's coming until then: the time for build
dependencies is in it, that for the download of the sdist is not.  Where two directories
went too close to each other to tell, and did not come together, or nobody watched, the
time is unknown; so it often is with uv before 0.8, whose commands have a directory of
their own there.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.disk import Disk

FILE: Final = "builds.log"
ROLE: Final = "build"
"""Of the small file of a record that has the seconds, as decimal text."""

KEPT: Final = 200
"""Builds that are remembered; promotions mostly come within a second."""

MAX_S: Final = 7 * 24 * 3600.0
END_S: Final = 5.0
"""Within that time after the wheel has its name its build's directory goes, and the
daemon of a busy machine has heard of it."""

APART_S: Final = 0.02
"""Of two directories that go within that time it is not sure which went first ..."""

TOGETHER_S: Final = 0.1
"""... which makes no difference if they came within that time."""

_MAX_BYTES: Final = 64 << 10
_MAX_CHARS: Final = 16


class Build(NamedTuple):
    """A build that was seen; times in seconds since the epoch, of this host."""

    began_s: float
    ended_s: float


def find_build_s(builds: Iterable[Build], named_s: float) -> float | None:
    """Return how long the build of a wheel took that got its name then; None if unknown."""
    ended = sorted(
        (build.ended_s, build.began_s)
        for build in builds
        if build.began_s < named_s <= build.ended_s <= named_s + END_S
    )
    if not ended:
        return None
    first_ended_s, began_s = ended[0]
    close = [began for end, began in ended if end - first_ended_s < APART_S]
    if max(close) - min(close) > TOGETHER_S:
        return None
    return min(named_s - began_s, MAX_S)


def encode_build_s(build_s: float) -> bytes:
    """Return the seconds of a build as a record has them."""
    return f"{build_s:.1f}".encode()


def parse_build_s(data: bytes | None) -> float | None:
    """Return the seconds that a record says, which anyone may have written, or None."""
    if data is None or len(data) > _MAX_CHARS:
        return None
    try:
        build_s = float(data)
    except ValueError:
        return None
    return build_s if math.isfinite(build_s) and 0 <= build_s <= MAX_S else None


def write_builds(state: Path, builds: Sequence[Build], disk: Disk) -> None:
    """Replace what is known of builds, by rename; raises OSError."""
    lines = [f"{build.began_s:.3f} {build.ended_s:.3f}\n" for build in builds[-KEPT:]]
    temporary = state / f"{FILE}.new"
    disk.unlink(temporary)  # of a daemon that was killed
    disk.create_file(temporary, "".join(lines).encode(), 0o644)
    disk.rename(temporary, state / FILE)


def read_builds(state: Path) -> list[Build]:
    """Return the builds that the daemon of this cache has seen; none if it has not."""
    try:
        with (state / FILE).open("rb") as file:
            lines = file.read(_MAX_BYTES).splitlines()
        pairs = [tuple(map(float, line.split())) for line in lines]
    except (OSError, ValueError):
        return []
    return [Build(*pair) for pair in pairs if len(pair) == 2]


def find_time(wheel_file: Path | None, builds: Sequence[Build]) -> float | None:
    """Return how long uv took to build a wheel that is in its cache; None if unknown."""
    if wheel_file is None or not builds:
        return None
    try:
        # Not that of modification, which comes from the build's own directory.
        named_s = wheel_file.stat().st_ctime
    except OSError:
        return None
    return find_build_s(builds, named_s)
