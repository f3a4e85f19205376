"""What the kernel counts of the share while something goes on."""

from wheelferry.bench.facts import Spent
from wheelferry.disk.clock import monotonic_s
from wheelferry.disk.mounts import find_mount, load_mounts
from wheelferry.disk.mountstats import Traffic, read_traffic


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
        self._began_s = 0.0
        self._before: Traffic | None = None

    @property
    def counts(self) -> bool:
        """Whether the kernel counts here."""
        return read_traffic(self._point) is not None

    def begin(self) -> None:
        """Begin to count."""
        self._before = read_traffic(self._point)
        self._began_s = monotonic_s()

    def end(self, read_bytes: int, seconds: float | None = None) -> Spent:
        """Return what was spent since `begin`.

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
