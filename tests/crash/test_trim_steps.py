"""A trim killed after each of its steps: uv finds entries whole, or not at all."""

from pathlib import Path

import pytest

from tests.support.cachetree import formats_of, make_cache, many
from tests.support.disks import Died, DyingDisk
from tests.support.restoring import snapshot
from tests.support.soundness import CacheJudge
from tests.support.tiers import Ferry, make_store
from tests.support.trimming import archives, dangling, size_of, state_of, trim
from wheelferry.disk import Disk, WorkDir

ENTRIES = many()
FORMATS = formats_of(ENTRIES)
JUDGE = CacheJudge(ENTRIES)


def test_trim_killed_at_any_step(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing names what is gone; the next trim ends it, and a pull for a job heals it."""
    monkeypatch.setattr("wheelferry.ops.trim.SLICE_S", 0.0)  # one group at a time
    store = make_store(scratch / "store")
    Ferry(cache=make_cache(scratch / "a", ENTRIES), store=store).promote()
    whole = make_cache(scratch / "whole", ENTRIES)
    counting = DyingDisk()
    trim(whole, 1, counting)
    assert archives(whole) == set()
    assert counting.steps > 40
    undisturbed = snapshot(whole)
    seen = set()

    for step in range(1, counting.steps + 1):
        cache = make_cache(scratch / f"{step}", ENTRIES)
        before = snapshot(cache)
        disk = DyingDisk(last_step=step)
        with pytest.raises(Died):
            trim(cache, 1, disk)
        where = f"killed after step {step}, {disk.log[-1]}"

        assert (JUDGE.wrong(cache), dangling(cache)) == ([], []), where
        after = snapshot(cache)
        made = {".lock", ".gitignore"}
        assert after.keys() - made <= before.keys(), where
        seen.add(len(JUDGE.usable(cache)))
        if step % 5 == 0:
            ferry = Ferry(cache=cache, store=store, runner="r2")
            assert ferry.pull(FORMATS).failed == [], where
            assert JUDGE.usable(cache) >= JUDGE.usable(scratch / "a"), where
            assert JUDGE.wrong(cache) == [], where
        trim(cache, 1)
        assert archives(cache) == set(), where
        if step % 5:
            names = {k for k in snapshot(cache) if k not in made}
            assert names == undisturbed.keys() - made, where
        with WorkDir.open(state_of(cache) / "staging", disk=Disk()) as work:
            assert list(work.path.parent.iterdir()) == [work.path], where

    # One of them was only resolved: uv has to unpack it before it can be installed.
    assert seen == set(range(len(ENTRIES))), "each goes by itself"
    assert size_of(whole) > 0
