"""Where something is mounted, or is to be, as the kernel and fstab tell it.

Pure.  The mounts themselves are not looked at: a share may not answer.
"""

import re
from collections.abc import Iterator


def decode_mountinfo(text: str) -> frozenset[str]:
    """Return the mount points in the text of `/proc/self/mountinfo`."""
    return frozenset(_points(text, field=4))


def decode_fstab(text: str) -> frozenset[str]:
    """Return the mount points in the text of `/etc/fstab`."""
    kept = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return frozenset(_points("\n".join(kept), field=1))


def _points(text: str, *, field: int) -> Iterator[str]:
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > field and fields[field].startswith("/"):
            point = re.sub(r"\\([0-7]{3})", _unescape, fields[field])
            yield point.rstrip("/") or "/"


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
