"""How many RPCs the everyday runs of Wheelferry cost, and what a plain script costs.

A floor is a script of a few lines that opens, reads, writes and renames the same files,
with no checks, on a machine that is in the same state; what it costs nobody can save.
"""

import os
import sys
from pathlib import PurePosixPath
from typing import NamedTuple

from tests.nfs.fleet import Ferried, NfsFleet
from tests.nfs.rig import Traffic
from tests.support.cachetree import Planned, make_files, plan
from tests.support.records import digest_of, make_record
from wheelferry.store.segment import encode_segment

BULK = 20
"""K, the number of entries that are pulled at once."""

SEGMENTS = 500
RECORDS = 100_000

_LOOK = """
import os, sys
def read(path):
    fd = os.open(path, os.O_RDONLY)
    while os.read(fd, 1 << 20): pass
    os.close(fd)
def write(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, data); os.fsync(fd); os.close(fd)
os.chdir('/share')
read('wheelferry.json'); os.listdir('catalog')
"""
_READ_MORE = """
for path in sys.argv[1:]: read(path)
"""
_WRITE = """
if not os.path.isdir('staging/floor'): os.mkdir('staging/floor')
for source, path in zip(sys.argv[1::2], sys.argv[2::2]):
    staged = 'staging/floor/' + os.path.basename(path)
    write(staged, open(source, 'rb').read()); os.rename(staged, path)
    os.listdir(os.path.dirname(path)); os.stat(path)
"""


class Counted(NamedTuple):
    """What one scenario cost.

    Attributes:
        scenario: In words.
        budget: RPCs that it may cost, and how that was computed.
        formula: The same, in words.
        ours: What it did cost.
        floor: What the plain script did.
    """

    scenario: str
    budget: int
    formula: str
    ours: Traffic
    floor: Traffic


def count_everyday(fleet: NfsFleet) -> list[Counted]:
    """Count promotions and pulls of a few entries; needs three runners, empty caches."""
    count = _Counter(fleet)
    content = (os.urandom(300_000), False)
    names = [f"bulk-{number}" for number in range(BULK)]
    bulk = [plan(name, files=make_files(name, data=content)) for name in names]
    return [
        count.promote("promote one, the runner's first", plan("first")),
        count.promote("promote one", plan("second")),
        count.first_pull("pull two, the runner's first"),
        count.look("pull, nothing new", is_cold=False),
        count.look("pull, nothing new, mounted anew", is_cold=True),
        count.pull("pull one", [plan("third")]),
        count.pull(f"pull {BULK}", bulk),
    ]


def count_large_catalog(fleet: NfsFleet) -> list[Counted]:
    """Count pulls with nothing new, with SEGMENTS segments and RECORDS records."""
    count = _Counter(fleet)
    add_segments(fleet, segments=SEGMENTS, records=RECORDS)
    first = _done(count.client.ferry("pull", "--deadline", "5m", timeout_s=300))
    # No runner here wants any of them, and each is in the view.
    assert first.summary["other_formats"] == RECORDS, first
    name = f"pull, nothing new, {SEGMENTS} segments, {RECORDS:,} records"
    # A client gives a file's delegation back one to two minutes after it was read (see
    # docs/benchmarks.md), and its mount's counters have that in whatever runs then.  So
    # that with the first pull's 500 behind it: mounted anew first.
    cold = count.look(f"{name}, mounted anew", is_cold=True)
    warm = count.look(name, is_cold=False)
    for counted in (cold, warm):
        assert counted.ours.bytes_read < 1000, counted  # no segment
    return [warm, cold]


def add_segments(fleet: NfsFleet, *, segments: int, records: int) -> None:
    """Fill the catalog with records of a format that no runner here wants."""
    out = fleet.site.guest.out / "catalog"
    out.mkdir()
    each = records // segments
    for number in range(segments):
        made = [
            make_record(f"package-{number * each + n}", format_id="wheels-v3/array2")
            for n in range(each)
        ]
        data = encode_segment(made, runner="forger", created_s=number)
        (out / f"{digest_of(data)}.seg").write_bytes(data)
    fleet.site.server.shell(f"mv /run/out/catalog/* {fleet.export.path}/catalog")
    out.rmdir()


class _Counter:
    """The three runners of a fleet, and what is asked of them."""

    def __init__(self, fleet: NfsFleet) -> None:
        self.promoter, self.client, self._floor = fleet.runners
        self._store = fleet.export.path
        self._server = fleet.site.server

    def promote(self, scenario: str, planned: Planned) -> Counted:
        """Promote one entry."""
        self.promoter.fill(planned)
        before = self._files()
        done = _done(self.promoter.ferry("promote"))
        assert done.summary["promoted"] == 1, done
        writes = done.traffic.of("WRITE")
        return Counted(
            scenario=scenario,
            budget=32 + writes,
            formula="32 + WRITEs",
            ours=done.traffic,
            floor=self._write_again(self._files() - before),
        )

    def first_pull(self, scenario: str) -> Counted:
        """Pull all that there is, as a runner that knows nothing."""
        done = _done(self.client.ferry("pull"))
        return self._pulled(scenario, done, self._files())

    def look(self, scenario: str, *, is_cold: bool) -> Counted:
        """Pull when there is nothing new."""
        self._plain(_LOOK)
        if is_cold:
            self.client.machine.remount()
            self._floor.machine.remount()
        done = _done(self.client.ferry("pull"))
        assert done.summary["planned"] == 0, done
        budget = 20 if is_cold else 10
        floor = self._plain(_LOOK)
        return Counted(scenario, budget, str(budget), done.traffic, floor)

    def pull(self, scenario: str, planned: list[Planned]) -> Counted:
        """Pull entries that another runner has just promoted."""
        self.promoter.fill(*planned)
        before = self._files()
        _done(self.promoter.ferry("promote"))
        done = _done(self.client.ferry("pull"))
        assert done.summary["restored"] == len(planned), done
        return self._pulled(scenario, done, self._files() - before)

    def _pulled(self, scenario: str, done: Ferried, files: set[str]) -> Counted:
        entries = done.summary["restored"]
        budget, formula = 26, "26"
        if entries > 1:
            # A read of a small block is excused only if it is all of a file: those, and
            # wheelferry.json.
            large = done.traffic.bytes_read // (256 << 10) + len(files) + 1
            reads = min(done.traffic.of("READ"), large)
            budget = 8 * entries + reads + 20
            formula = f"8 · {entries} + {reads} READs + 20"
        # Segments first.
        floor = self._plain(_LOOK + _READ_MORE, *sorted(files))
        return Counted(scenario, budget, formula, done.traffic, floor)

    def _plain(self, script: str, *args: str) -> Traffic:
        ran = self._floor.machine.run(sys.executable, "-ISc", script, *args)
        assert ran.returncode == 0, ran
        return ran.traffic

    def _write_again(self, files: set[str]) -> Traffic:
        """Write the same files once more, under other names in the same places."""
        pairs: list[str] = []
        for number, name in enumerate(sorted(files, reverse=True)):  # the segment last
            copy = f"/run/out/floor-{number}"
            self._server.shell(f"cp {self._store}/{name} {copy}")
            pairs += [copy, f"{PurePosixPath(name).parent}/floor"]
        traffic = self._plain(_LOOK + _WRITE, *pairs)
        self._server.shell(f"cd {self._store}; rm {' '.join(pairs[1::2])}")
        return traffic

    def _files(self) -> set[str]:
        find = f"cd {self._store}; find objects catalog -type f"
        return set(self._server.shell(find).split())


def _done(ferried: Ferried) -> Ferried:
    assert ferried.returncode == 0, ferried
    assert not ferried.warnings, ferried
    return ferried
