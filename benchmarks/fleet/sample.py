"""What one job of a fleet cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measure import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one job asked of the share, as the kernel of its machine counted.

    Attributes:
        rpcs: By operation, without those that did not occur.
        read_bytes: Of file content.
        written_bytes: The same.
    """

    rpcs: Mapping[str, int]
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One job: what a way does before it, `uv sync`, and what the way does after it.

    Attributes:
        place, network: Where; `network` is empty in a folder.
        way: How the fleet shares.
        scenario: What was there before, and what changed.
        round: Of how many times the same.
        runner: Whose job.
        before_s, sync_s, after_s: Times of the three steps.
        peak_bytes: Resident memory of the way's own programs, at most.
        index_requests, index_bytes: What came from the package index.
        builds: Wheels that uv built.
        lock_waits: How often uv waited for a lock.
        has_failed: Whether a step of it did.
        share: What it asked of the share; None where no kernel counts that.
        share_bytes: What the share holds after it.
    """

    place: str
    network: str
    way: str
    scenario: str
    round: int
    runner: str
    before_s: float
    sync_s: float
    after_s: float
    peak_bytes: int
    index_requests: int
    index_bytes: int
    builds: int
    lock_waits: int
    has_failed: bool
    share: Share | None
    share_bytes: int

    @property
    def ready_s(self) -> float:
        """Time until the job can run: what comes before `uv sync`, and that."""
        return self.before_s + self.sync_s

    def encode(self) -> dict[str, Json]:
        """Return it for the JSON file."""
        fields: dict[str, Json] = {
            name: getattr(self, name) for name in self.__slots__ if name != "share"
        }
        if self.share is None:
            return {**fields, "share": None}
        return {
            **fields,
            "share": {
                "rpcs": dict(self.share.rpcs),
                "read_bytes": self.share.read_bytes,
                "written_bytes": self.share.written_bytes,
            },
        }
