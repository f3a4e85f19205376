"""What the kernel of an NFS client counted: /proc/self/mountstats.

The meaning of the columns is that of `struct rpc_iostats` and `nfs_show_stats` in Linux: per operation, the
first is calls, the second transmissions, the fourth and fifth bytes sent and received,
the seventh milliseconds from the last transmission to the answer, of all calls together;
in the line `bytes:`, the fifth and sixth are bytes read from and written to the server.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

Counters = dict[str, list[int]]

_DEVICE = re.compile(r"device \S+ mounted on (\S+) with fstype (\S+)")
_OPERATION = re.compile(r"\s*([A-Z_0-9]+): (\d+(?: \d+)+)$")
_LOCKS = frozenset({"LOCK", "LOCKT", "LOCKU", "RELEASE_LOCKOWNER", "FREE_STATEID"})


class Traffic(NamedTuple):
    """What one mount asked of its server.

    Attributes:
        ops: RPCs by operation, without those that did not occur.
        bytes_read: Of file content, from the server.
        bytes_written: Of file content, to the server.
        retransmits: RPCs that were sent once more.
        waited_s: From sending an RPC to its answer, added up; more than the time that
            has passed, where RPCs were on their way at the same time.
    """

    ops: Mapping[str, int]
    bytes_read: int
    bytes_written: int
    retransmits: int
    waited_s: float

    @property
    def rpcs(self) -> int:
        """All RPCs."""
        return sum(self.ops.values())

    @property
    def locks(self) -> int:
        """RPCs that have to do with locks."""
        return sum(count for op, count in self.ops.items() if op in _LOCKS)

    def of(self, *ops: str) -> int:
        """Return the number of RPCs of some operations."""
        return sum(self.ops.get(op, 0) for op in ops)

    def __str__(self) -> str:
        """List it, the most frequent first."""
        ops = sorted(self.ops.items(), key=lambda item: (-item[1], item[0]))
        return (
            f"{self.rpcs} RPCs ({', '.join(f'{n} {op}' for op, n in ops)}),"
            f" {self.bytes_read} bytes read, {self.bytes_written} written"
        )


def parse(text: str) -> dict[str, Counters]:
    """Return the counters of each NFS mount, by mount point; `bytes` is one of them."""
    mounts: dict[str, Counters] = {}
    counters: Counters | None = None
    for line in text.splitlines():
        if line.startswith("device "):
            found = _DEVICE.match(line)
            counters = None
            if found and found[2].startswith("nfs"):
                counters = mounts.setdefault(found[1], {})
        elif counters is None:
            continue
        elif line.lstrip().startswith("bytes:"):
            counters["bytes"] = [int(word) for word in line.split()[1:]]
        elif found := _OPERATION.match(line):
            counters[found[1]] = [int(word) for word in found[2].split()]
    return mounts


def subtract(after: Counters, before: Counters) -> Traffic:
    """Return what happened between two readings of one mount."""
    ops: dict[str, int] = {}
    retransmits = waited_ms = 0
    for op, values in after.items():
        if op == "bytes":
            continue
        old = before.get(op, [0] * len(values))
        if calls := values[0] - old[0]:
            ops[op] = calls
            retransmits += values[1] - old[1] - calls
            waited_ms += values[6] - old[6]
    new_bytes, old_bytes = after.get("bytes", [0] * 8), before.get("bytes", [0] * 8)
    return Traffic(
        ops=ops,
        bytes_read=new_bytes[4] - old_bytes[4],
        bytes_written=new_bytes[5] - old_bytes[5],
        retransmits=retransmits,
        waited_s=waited_ms / 1000,
    )
