"""What one job of a fleet cost."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.fleet.network import Network
from benchmarks.measure import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one job asked of the share, as the kernel of its machine counted.

    Attributes:
        rpcs: By operation, without those that did not occur.
        read_bytes: Of file content.
        written_bytes: The same.
        waited_s: From sending an RPC to its answer, added up; more than the time of
            the job where several were under way at once.
    """

    rpcs: Mapping[str, int]
    read_bytes: int
    written_bytes: int
    waited_s: float

    @property
    def rpc_count(self) -> int:
        """All RPCs."""
        return sum(self.rpcs.values())

    @property
    def moved_bytes(self) -> int:
        """File content in both directions."""
        return self.read_bytes + self.written_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One job: what a way does before it, `uv sync`, and what the way does after it.

    Attributes:
        place: Where.
        network: Between runners and share; None in a folder.
        way: How the fleet shares.
        scenario: What was there before, and what changed.
        round: Of how many times the same.
        runner: Whose job.
        before_s, sync_s, after_s: Times of the three steps.
        peak_bytes: Resident memory of the way's own programs, at most.
        index_requests, index_bytes: What came from the package index.
        builds: Wheels that uv built.
        lock_waits: How often uv waited for a lock.
        has_failed: Whether a step of it did, or not all was installed.
        has_copied: Whether uv said that it cannot make hardlinks.
        share: What it asked of the share; None where no kernel counts that.
        share_bytes: What the share holds after it.
    """

    place: str
    network: Network | None
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
    has_copied: bool = False

    @property
    def ready_s(self) -> float:
        """Time until the job can run: what comes before `uv sync`, and that."""
        return self.before_s + self.sync_s

    @property
    def whole_s(self) -> float:
        """Time of all three steps."""
        return self.ready_s + self.after_s

    def encode(self) -> dict[str, Json]:
        """Return it for the JSON file."""
        return asdict(self)

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> "Sample":
        """Return what `encode` gave; raises KeyError or TypeError for anything else."""
        network, share = fields["network"], fields["share"]
        return cls(
            **{
                **fields,
                "network": None if network is None else Network(**network),
                "share": None if share is None else Share(**share),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was measured at one time.

    Attributes:
        machine: On which, in one line.
        conditions: With which packages and uv, in one line.
        samples: All jobs.
    """

    machine: str
    conditions: str
    samples: Sequence[Sample]


def load_run(path: Path) -> Run:
    """Return a run from the file that `--json` wrote.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file.
    """
    try:
        document = json.loads(path.read_text())
        return Run(
            machine=document["machine"],
            conditions=document["conditions"],
            samples=[Sample.decode(fields) for fields in document["samples"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no samples of a fleet: {error!r}") from error


def join_runs(runs: Sequence[Run]) -> list[Sample]:
    """Return the samples of some runs, with no round of one taken for one of another."""
    samples: list[Sample] = []
    for run in runs:
        first = max((sample.round for sample in samples), default=-1) + 1
        samples += [
            replace(sample, round=sample.round + first) for sample in run.samples
        ]
    return samples
