"""What a promotion refused is not read again in the background, until it changes."""

import os
import resource
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache
from tests.support.forge import overwrite
from tests.support.machines import MACHINE
from tests.support.tiers import Ferry, make_store
from wheelferry.disk import Disk, WorkDir
from wheelferry.events import Event, Level
from wheelferry.ops.packing import NotPacked, pack_entry
from wheelferry.ops.promote import PromotePlan, apply_promote, plan_promote
from wheelferry.ops.rules import Rules
from wheelferry.ops.status import read_status
from wheelferry.ops.tiers import VIEW
from wheelferry.pack.pool import Pool
from wheelferry.store import view_file
from wheelferry.uvcache.scan import scan_cache

MODULE = "archive-v0/archive000000000/pure_wheel/__init__.py"
RIGHT, EDITED = b"name = 'pure-wheel'\n", b"name = 'pure-wheeL'\n"


class Warned(list[str]):
    """A sink that keeps warnings."""

    def __call__(self, event: Event) -> None:
        if event.level >= Level.WARNING:
            self.append(event.message)


@pytest.fixture
def warned() -> Warned:
    """What the runner warned of."""
    return Warned()


@pytest.fixture
def ferry(tmp_path: Path, warned: Warned) -> Ferry:
    """A runner of whose two entries one was edited, and refused."""
    cache = make_cache(tmp_path / "cache", few())
    assert (cache / MODULE).read_bytes() == RIGHT
    overwrite(cache / MODULE, EDITED)
    ferry = Ferry(cache=cache, store=make_store(tmp_path / "store"), emit=warned)
    promote(ferry)
    (warning,) = warned
    assert "pure_wheel/__init__.py" in warning
    warned.clear()
    return ferry


def promote(ferry: Ferry, *, is_background: bool = True) -> PromotePlan:
    """Promote, and return the plan of it."""
    with ferry.open() as tiers:
        planned = plan_promote(tiers, Rules(), is_background=is_background)
        apply_promote(tiers, planned)
    return planned


def names(planned: PromotePlan) -> list[str]:
    """Return what was to be packed."""
    return [candidate.entry.info.name for candidate in planned.candidates]


def test_it_is_neither_read_nor_warned_of_again(ferry: Ferry, warned: Warned) -> None:
    """However often the daemon looks; the plan says why it stays."""
    for _ in range(3):
        planned = promote(ferry)
        assert names(planned) == []
        (left,) = planned.left
        assert left.reason.startswith("refused before, and not changed since: ")
        assert "pure_wheel/__init__.py" in left.reason
        assert not left.is_fault
    assert warned == []


def test_someone_who_asks_has_it_looked_at_again(ferry: Ferry, warned: Warned) -> None:
    """And is told; the daemon has nothing to say after that either."""
    assert names(promote(ferry, is_background=False)) == ["pure-wheel"]
    assert len(warned) == 1
    assert names(promote(ferry)) == []


def test_status_does_not_take_it_for_waiting(ferry: Ferry) -> None:
    """Nothing would promote it."""
    with ferry.open() as tiers:
        found = read_status(
            tiers, promote_rules=Rules(), pull_rules=Rules(), format_ids=()
        )
    assert [row.to_promote for row in found.formats] == [0, 0]


def edit(cache: Path) -> None:
    overwrite(cache / MODULE, b"name = 'something else'\n")


def mend(cache: Path) -> None:
    overwrite(cache / MODULE, RIGHT)


def replace(cache: Path) -> None:
    path, other = cache / MODULE, cache / "other"
    other.write_bytes(EDITED)
    when, above_when = path.stat().st_mtime_ns, path.parent.stat().st_mtime_ns
    other.rename(path)
    os.utime(path, ns=(when, when))
    os.utime(path.parent, ns=(above_when, above_when))


def add(cache: Path) -> None:
    (cache / MODULE).with_name("more.py").touch()


def remove(cache: Path) -> None:
    (cache / MODULE).unlink()


def fetch_again(cache: Path) -> None:
    (pointer,) = cache.glob("wheels-*/**/*.http")
    pointer.write_bytes(pointer.read_bytes())


@pytest.mark.parametrize("change", [edit, mend, replace, add, remove, fetch_again])
def test_it_is_read_again_when_it_has_changed(
    ferry: Ferry, change: Callable[[Path], None]
) -> None:
    """Whatever it is that changed; and not a second time."""
    change(ferry.cache)
    assert names(promote(ferry)) == ["pure-wheel"]
    assert names(promote(ferry)) == []
    with ferry.open() as tiers:
        assert len(tiers.view.memory.rejected()) == (change is not mend)


def test_jobs_that_install_it_change_nothing(ferry: Ferry) -> None:
    """They link its files, which changes the time that the kernel keeps of that."""
    path = ferry.cache / MODULE
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        linked = ferry.cache.with_name("installed.py")
        linked.hardlink_to(path)
        linked.unlink()
    assert names(promote(ferry)) == []


def test_what_is_gone_is_forgotten(ferry: Ferry) -> None:
    """There is never more to remember than what is in the cache."""
    (pointer,) = ferry.cache.glob("wheels-*/**/*.http")
    pointer.unlink()
    promote(ferry)
    with ferry.open() as tiers:
        assert tiers.view.memory.rejected() == {}


def test_another_version_looks_again(ferry: Ferry, monkeypatch) -> None:
    """What it could not take, the next one may."""
    monkeypatch.setattr(view_file, "__version__", "99")
    assert names(promote(ferry)) == ["pure-wheel"]


def test_unchanged_memory_is_not_written(ferry: Ferry) -> None:
    """A run of the daemon with nothing to do costs the disk nothing."""
    with ferry.open() as tiers, closing(view_of(ferry)) as other:
        version = "PRAGMA data_version"
        before = other.execute(version).fetchone()
        apply_promote(tiers, plan_promote(tiers, Rules(), is_background=True))
        assert other.execute(version).fetchone() == before


def view_of(ferry: Ferry):
    """Open the file of the view."""
    import sqlite3

    return sqlite3.connect(ferry.state / VIEW)


def test_failure_of_the_machine_is_no_verdict(tmp_path: Path) -> None:
    """1. All descriptors are in use. 2. The entry cannot be read. 3. Later it can."""
    cache = make_cache(tmp_path / "cache", few()[:1])
    (entry,) = scan_cache(cache).entries
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with WorkDir.open(tmp_path / "spool", disk=Disk()) as work, Pool() as pool:
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
        try:
            outcome = pack_entry(entry, work.path, Disk(), pool, machine=MACHINE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert isinstance(outcome, NotPacked)
    assert "Too many open files" in outcome.left.reason
    assert (outcome.stamp, outcome.left.is_unsettled) == ("", False)
