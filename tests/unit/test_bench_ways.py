"""What each way costs, of measurements; all numbers here were computed by hand."""

import pytest

from wheelferry.bench.facts import (
    Archived,
    LockFacts,
    Measured,
    Pulled,
    Sampled,
    Spent,
)
from wheelferry.bench.forecast import Cost, Fleet, Name, Way
from wheelferry.bench.verdict import Loss, judge
from wheelferry.bench.ways import make_ways, scale_of
from wheelferry.cli.tell_bench import conclude, notes

LOCK = LockFacts(packages=10, sized=10, index_bytes=10_000)
PULLED = Pulled(
    source="store",
    packages=10,
    index_bytes=10_000,
    packs=10,
    pack_bytes=8000,
    tree_files=400,
    tree_bytes=40_000,
    link_s=0.5,
    fresh=Spent(2.0, 8200, 50),
    again=Spent(0.1, 0, 5),
)
SAMPLED = Sampled(100, 20_000, fresh=Spent(1.0, 21_000, 300), again=Spent(0.5, 0, 100))
ARCHIVED = Archived(5000, tree_bytes=20_000, fresh=Spent(1.5, 5000, 10))
ALL = Measured(LOCK, pulled=PULLED, sampled=SAMPLED, archived=ARCHIVED)


def ways_of(measured: Measured, index_mbit: float | None = None) -> dict[Name, Way]:
    """Return the ways by name."""
    return {way.name: way for way in make_ways(measured, index_mbit)}


def test_index_has_no_time_unless_its_speed_is_given() -> None:
    """Bytes are the lock's; 10,000 of them at 0.08 Mbit/s are one second."""
    none = ways_of(ALL)[Name.NONE]
    assert none.fresh == Cost(index_bytes=10_000, seconds=None)
    assert none.again == Cost(seconds=0.5)
    assert none.follow == Cost(index_bytes=1000, seconds=None)
    assert ways_of(ALL, 0.08)[Name.NONE].fresh.seconds == pytest.approx(1.5)


def test_sample_of_files_stands_for_all() -> None:
    """RPCs and time by the number of files, 4 times as many; bytes by bytes, twice."""
    uv = ways_of(ALL)[Name.UV]
    assert uv.fresh == Cost(0, 42_000, 1200, 4.0)
    assert uv.again == Cost(0, 0, 400, 2.0)
    assert uv.publish == Cost(index_bytes=1000, share_bytes=4000)


def test_archive_is_written_and_read_anew_for_a_change() -> None:
    """Of half of the bytes: twice as much, and links once it is unpacked."""
    archive = ways_of(ALL)[Name.ARCHIVE]
    assert archive.fresh == Cost(0, 10_000, 20, 3.5)
    assert archive.follow == Cost(0, 10_000, 20, 3.0)
    assert archive.publish == Cost(index_bytes=1000, share_bytes=10_000)


def test_wheelferry_costs_what_its_pulls_did() -> None:
    """A change costs those that follow one package of ten."""
    ferry = ways_of(ALL)[Name.WHEELFERRY]
    assert ferry.fresh == Cost(0, 8200, 50, 2.5)
    assert ferry.again == Cost(0, 0, 5, 0.6)
    assert ferry.publish == Cost(index_bytes=1000, share_bytes=800)
    assert tuple(ferry.follow) == pytest.approx((0, 820, 5, 0.2))


@pytest.mark.parametrize(
    ("index_bytes", "scale"),
    [(2500, 4.0), (0, 2.0), (20_000, 1.0)],
)
def test_part_of_the_packages_stands_for_all(index_bytes: int, scale: float) -> None:
    """By the size of their files, or, without sizes, by number: here 5 of 10."""
    part = PULLED._replace(packages=5, index_bytes=index_bytes)
    assert scale_of(LOCK, part) == scale


def test_packages_without_a_size_are_taken_as_the_mean() -> None:
    """8 of 10 have 8,000 bytes: all have 10,000."""
    lock = LockFacts(packages=10, sized=8, index_bytes=8000)
    assert ways_of(Measured(lock))[Name.NONE].fresh.index_bytes == 10_000
    assert LockFacts(10, 0, 0).all_bytes is None


def test_what_was_not_measured_is_unknown_and_never_free() -> None:
    """A missing measurement is no zero, also in the fleet's day."""
    found = ways_of(ALL._replace(sampled=None))
    assert found[Name.UV].again == Cost(0, None, None, None)
    (day,) = judge(ALL._replace(sampled=None), tuple(found.values()), [ONE]).days
    assert day.costs[Name.UV].seconds is None
    assert day.costs[Name.WHEELFERRY].seconds is not None


ONE = Fleet(runners=2, jobs=5, changes=1, fresh=1.0)


def conclusion(measured: Measured, *fleets: Fleet) -> str:
    """Return the last sentence."""
    return conclude(judge(measured, make_ways(measured), fleets))


def test_verdict_says_what_is_saved_and_what_it_costs() -> None:
    """10 jobs: 100,000 bytes less the one package that is new; 82,000 and 800 instead."""
    assert conclusion(ALL, ONE, ONE._replace(fresh=0.0)) == (
        "A fleet of 2 runners with 5 jobs each and 1 change of the lock would save per"
        " day: 97 KiB of the index's traffic if every job begins with an empty cache, for"
        " 81 KiB on the share; 1000 B of the index's traffic if runners keep their"
        " caches, for 2.4 KiB on the share, which is more than that."
    )


def test_verdict_admits_that_nothing_is_saved() -> None:
    """One runner that keeps its cache has nobody to share with."""
    alone = Fleet(runners=1, jobs=5, changes=1, fresh=0.0)
    assert "would save per day: nothing of the index's traffic" in conclusion(
        ALL, alone
    )


def test_verdict_admits_what_is_not_known() -> None:
    """Without sizes there is no figure; without a pull there is half of one."""
    sizeless = ALL._replace(lock=LockFacts(10, 0, 0))
    assert conclusion(sizeless, ONE).endswith("cannot be told: the lock has no sizes.")
    unmeasured = ALL._replace(pulled=None, sampled=None, archived=None)
    assert "(what the share carries for it was not measured)" in conclusion(
        unmeasured, ONE
    )


def test_losses_are_found_and_told() -> None:
    """An archive of fewer bytes that is ready sooner is better, and it is said."""
    small = ARCHIVED._replace(fresh=Spent(0.5, 2000, 10))
    measured = ALL._replace(archived=small)
    result = judge(measured, make_ways(measured), [ONE])
    assert result.losses == (
        Loss(Name.ARCHIVE, "share_bytes", 8200, 4000),
        Loss(Name.ARCHIVE, "rpcs", 50, 20),
        Loss(Name.ARCHIVE, "seconds", 2.5, 1.5),
    )
    assert (
        "a tar.zst of the cache is ready sooner than Wheelferry here: 1.5 s for 2.5 s"
        in list(notes(result))
    )


def test_pull_of_more_bytes_than_the_index_sends_is_a_loss() -> None:
    """Packs may be larger than the files that they replace."""
    measured = ALL._replace(lock=LOCK._replace(index_bytes=8000))
    (loss, *_) = judge(measured, make_ways(measured), [ONE]).losses
    assert loss == Loss(Name.NONE, "share_bytes", 8200, 8000)


def test_scaled_figures_are_called_so() -> None:
    """And where there are no counts of RPCs, why."""
    pulled = PULLED._replace(packages=5, index_bytes=5000, fresh=Spent(2.0, 8200, None))
    measured = ALL._replace(pulled=pulled)
    said = list(notes(judge(measured, make_ways(measured), [ONE])))
    assert "scaled from 5 of 10 packages, by 2.00" in said
    assert "uv's cache on the share: scaled from 100 of 400 files" in said
    assert "a tar.zst of the cache: scaled from 20 KiB of 39 KiB of files" in said
    assert any(note.startswith("RPCs are counted on NFS only") for note in said)
