"""What the kernel counts of the share while something goes on."""

from wheelferry.bench.facts import Spent
from wheelferry.disk.clock import monotonic_s
from wheelferry.disk.mounts import find_mount, load_mounts
from wheelferry.disk.mountstats import read_traffic


class Meter:
    """Reads the counts of the mount that a path is on; the share is not touched.

    They are of the mount: what else this machine does on it meanwhile is in them.

    Args:
        real_path: Without links.

    Attributes:
        fs_type: Of the mount; "" if it could not be told.
    """

    def __init__(self, real_path: str) -> None:
        try:
            mount = find_mount(load_mounts(), real_path)
        except OSError:
            mount = None
        self.fs_type = mount.fs_type if mount else ""
        self._point = mount.point if mount else ""

    def begin(self) -> "Reading":
        """Begin to count."""
        return Reading(self._point)


class Reading:
    """What the kernel had counted at one moment."""

    def __init__(self, point: str) -> None:
        self._point = point
        self._before = read_traffic(point)
        self._began_s = monotonic_s()

    def end(self, read_bytes: int, seconds: float | None = None) -> Spent:
        """Return what was spent since then.

        Args:
            read_bytes: From the share, as whoever read says: told if nobody counts.
            seconds: If not all that passed.
        """
        took_s = monotonic_s() - self._began_s if seconds is None else seconds
        after = read_traffic(self._point)
        if self._before is None or after is None:
            return Spent(took_s, read_bytes, None)
        passed = after.since(self._before)
        return Spent(took_s, passed.read_bytes, passed.rpcs)
