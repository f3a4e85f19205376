"""How fast packs may come, and how fast they do: pure."""

from typing import NamedTuple

BURST_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 20
SAMPLE_S = 1.0


class Bucket(NamedTuple):
    """A token bucket: it fills at a rate, and whoever reads takes out of it.

    Attributes:
        rate_bytes_s: What flows in, until it is full.
        level_bytes: What is in it; below 0, what the readers that wait have taken.
        at_s: When it had that level.
    """

    rate_bytes_s: int
    level_bytes: float
    at_s: float

    @classmethod
    def full(cls, rate_bytes_s: int, now_s: float) -> "Bucket":
        """Return a bucket that lets a burst through at once."""
        bucket = cls(rate_bytes_s, 0.0, now_s)
        return bucket._replace(level_bytes=bucket.burst_bytes)

    @property
    def burst_bytes(self) -> int:
        """What it holds, and so the most that is to be taken at one time."""
        return min(self.rate_bytes_s, BURST_BYTES)

    def take(self, size_bytes: int, now_s: float) -> tuple["Bucket", float]:
        """Return the bucket without so many bytes, and the seconds until they may flow.

        A negative size puts back what was taken for nothing.
        """
        filled = self.level_bytes + (now_s - self.at_s) * self.rate_bytes_s
        level_bytes = min(filled, self.burst_bytes) - size_bytes
        taken = self._replace(level_bytes=level_bytes, at_s=now_s)
        return taken, max(0.0, -level_bytes / self.rate_bytes_s)


class Pace(NamedTuple):
    """What reading packs has taken so far, to tell what others would take.

    Attributes:
        read_bytes: Of the packs that say something of it.
        spent_s: On them, one by one: two that were read at once for a second took two.
    """

    read_bytes: int = 0
    spent_s: float = 0.0

    def after(self, size_bytes: int, seconds: float) -> "Pace":
        """Return the pace with one more read in it.

        A small pack that came quickly is left out: what it took is mostly the way to the
        store and back, and says nothing of a large one.
        """
        if size_bytes < SAMPLE_BYTES and seconds < SAMPLE_S:
            return self
        return Pace(self.read_bytes + size_bytes, self.spent_s + seconds)

    def arrives(self, size_bytes: int, within_s: float) -> bool:
        """Return whether so many bytes come in that time.

        They do as long as nothing is known: someone has to try.
        """
        needed = size_bytes * self.spent_s
        return not self.read_bytes or needed <= within_s * self.read_bytes
