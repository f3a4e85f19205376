"""What the kernel counts of an NFS mount: `/proc/self/mountstats`.

The mount itself is not touched.  The meaning of the columns is that of `nfs_show_stats`
and `struct rpc_iostats` in Linux: of an operation, the first is calls; in the line
`bytes:`, the fifth and sixth are bytes of files, read from and written to the server.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple, Self

from wheelferry.disk.mounts import unescape

_MOUNTSTATS: Final = "/proc/self/mountstats"
_DEVICE: Final = r"device \S+ mounted on (\S+) with fstype nfs"
_OPERATION: Final = r"\s*[A-Z_0-9]+: (\d+)(?: \d+)+"
_BYTES: Final = r"\s*bytes:\s+((?:\d+\s+){5}\d+)"


class Traffic(NamedTuple):
    """What one mount has asked of its server, whoever used it.

    Attributes:
        rpcs: Calls of all kinds.
        read_bytes, written_bytes: Content of files.
    """

    rpcs: int = 0
    read_bytes: int = 0
    written_bytes: int = 0

    def since(self, before: Self) -> "Traffic":
        """Return what was added to an earlier count."""
        return Traffic(*(now - then for now, then in zip(self, before, strict=True)))


def read_traffic(point: str) -> Traffic | None:
    """Return the counts of what is mounted at `point`; None if that is no NFS."""
    try:
        text = Path(_MOUNTSTATS).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    return decode_mountstats(text).get(point)


def decode_mountstats(text: str) -> dict[str, Traffic]:
    """Return the counts of each NFS mount by its mount point.

    Of several at one point the last one counts, as it hides the others.
    """
    found: dict[str, Traffic] = {}
    point = None
    for line in text.splitlines():
        if line.startswith("device "):
            device = re.match(_DEVICE, line)
            point = unescape(device[1]) if device else None
            if point is not None:
                found[point] = Traffic()
        elif point is None:
            continue
        elif sizes := re.match(_BYTES, line):
            *_, read_bytes, written_bytes = map(int, sizes[1].split())
            found[point] = found[point]._replace(
                read_bytes=read_bytes, written_bytes=written_bytes
            )
        elif operation := re.fullmatch(_OPERATION, line):
            counted = found[point]
            found[point] = counted._replace(rpcs=counted.rpcs + int(operation[1]))
    return found
