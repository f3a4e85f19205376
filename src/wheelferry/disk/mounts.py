"""What is mounted where, as the kernel tells it.

The mounts themselves are not looked at: a share may not answer.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_MOUNTINFO: Final = "/proc/self/mountinfo"


class Mount(NamedTuple):
    """One line of `/proc/self/mountinfo`; see proc(5).

    Attributes:
        point: Where it is mounted.
        fs_type: Such as `ext4` or `nfs4`.
        source: What is mounted there.
        options: Those of the mount and of its filesystem; "" for one without a value.
    """

    point: str
    fs_type: str
    source: str
    options: Mapping[str, str]


def load_mounts() -> tuple[Mount, ...]:
    """Return what is mounted for this process; raises OSError where there is no /proc."""
    text = Path(_MOUNTINFO).read_text(encoding="utf-8", errors="surrogateescape")
    return decode_mountinfo(text)


def decode_mountinfo(text: str) -> tuple[Mount, ...]:
    """Return the mounts in the text of `/proc/self/mountinfo`, in its order."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        own, of_type = before.split(), after.split()
        if len(own) < 6 or len(of_type) < 2 or not own[4].startswith("/"):
            continue
        options = {**_options(of_type[2:3]), **_options(own[5:6])}
        point = unescape(own[4]).rstrip("/") or "/"
        found.append(Mount(point, of_type[0], unescape(of_type[1]), options))
    return tuple(found)


def find_mount(mounts: Iterable[Mount], path: str) -> Mount | None:
    """Return the mount that an absolute path without links is on.

    Of several on one point the last one counts, as it hides the others.
    """
    over = [m for m in mounts if f"{path}/".startswith(f"{m.point.rstrip('/')}/")]
    found = None
    for mount in over:
        if found is None or len(mount.point) >= len(found.point):
            found = mount
    return found


def unescape(word: str) -> str:
    r"""Return a word with `\040` and the like as the characters that they stand for."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def _options(words: list[str]) -> dict[str, str]:
    pairs = (option.partition("=") for word in words for option in word.split(","))
    return {name: value for name, _, value in pairs}
