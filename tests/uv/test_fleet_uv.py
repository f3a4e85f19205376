"""A fleet is not all alike: other uv versions, other Pythons, the same work twice."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support import uvs
from tests.support.fleet import Fleet, count_entries, make_fleet
from tests.support.site import STANDARD_BUILDS
from tests.support.uvs import Uv

pytestmark = pytest.mark.uv

NATIVE = "import cext_sdist._native as n; print(n.answer())"
WHEELS = ("native-wheel", "pure-wheel", "url-wheel")
SDISTS = ("cext-sdist", "pure-sdist", "url-sdist")
SAME_EVERYWHERE = (
    "git-dep",
    "native-wheel",
    "pure-sdist",
    "pure-wheel",
    "url-sdist",
    "url-wheel",
)
"""Entries whose trees are the same whoever has downloaded or built them."""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


@pytest.fixture(params=["0.5.14", "newest"])
def edge_uv(request: pytest.FixtureRequest) -> Uv:
    """The oldest and the newest uv, where those between show nothing new."""
    return uvs.load_uv_or_skip(request.param)


def packs_by_name(fleet: Fleet) -> dict[str, set[str]]:
    """Return which packs the records of each package name."""
    found: dict[str, set[str]] = {}
    for record in fleet.records():
        found.setdefault(record.name, set()).add(record.pack)
    return found


@pytest.mark.parametrize(
    ("pair", "used"),
    [
        (("0.6.17", "0.9.30"), (*WHEELS, *SDISTS, "git-dep")),
        (("0.9.30", "0.12.24"), (*SDISTS, "git-dep")),
        (("0.10.12", "0.12.24"), (*WHEELS, *SDISTS, "git-dep")),
        (("0.12.24", "0.10.12"), (*WHEELS, *SDISTS, "git-dep")),
        (("0.10.12", "0.12.0"), (*WHEELS, *SDISTS, "git-dep")),
        (("0.12.0", "0.12.24"), (*WHEELS, *SDISTS, "git-dep")),
        (("0.12.0", "0.10.12"), ("git-dep",)),
        (("0.12.24", "0.6.17"), (*SDISTS, "git-dep")),
        (("0.12.24", "newest"), ()),
        (("0.5.14", "0.6.17"), ()),
    ],
)
def test_another_uv_uses_what_it_can_read(site, new_runner, fleet, pair, used):
    """A pull restores the formats that this uv reads, and uv uses all of them."""
    project = site.project()
    writer, reader = map(uvs.load_uv_or_skip, pair)
    a, b = new_runner("a", writer), new_runner("b", reader)
    a.sync(project)
    assert len(fleet.promote(a).names) == 7

    pulled = fleet.pull(b)

    assert pulled.names == sorted(used)
    assert (pulled.report.failed, pulled.warnings) == ([], ())
    result = b.sync(project)
    files = {request.path.rpartition("/")[2] for request in result.downloads}
    wanted = {*WHEELS, *SDISTS} - {*used}
    assert files == {site.packages.find(name).filename for name in wanted}
    assert {line.split()[0] for line in result.builds} == {*STANDARD_BUILDS} - {*used}
    assert b.python_says(NATIVE) == "42"


def test_two_uvs_that_cannot_read_each_other_share_a_bucket(site, new_runner, fleet):
    """On a runner with uv 0.10 and 0.12.0 a pull never harms a job of either."""
    project = site.project()
    old, new = uvs.load_uv_or_skip("0.10.12"), uvs.load_uv_or_skip("0.12.0")
    a = new_runner("a", new)
    a.sync(project)
    fleet.promote(a)
    b_new, b_old = new_runner("b", new), new_runner("b", old)

    assert len(fleet.pull(b_new, uvs=[old]).names) == 7

    first = b_new.sync(project)
    assert (first.requests, first.builds) == ((), ())
    b_old.sync(project)
    assert fleet.promote(b_old).report.rejected == []
    for runner in (b_old, b_new):
        fleet.pull(runner, uvs=[old, new])
        assert runner.sync(project).builds == ()


def test_two_uvs_on_one_runner_share_packs_and_archives(site, new_runner, fleet):
    """Entries in formats of two uv versions are in one pack, and restored as one tree."""
    project = site.project()
    old, new = uvs.load_uv_or_skip("0.12.24"), uvs.installed_uv()
    a_old, a_new = new_runner("a", old), new_runner("a", new)
    a_old.sync(project)
    a_new.sync(project)

    promoted = fleet.promote(a_new)

    assert len(promoted.names) == 14
    assert len({record.format_id for record in fleet.records()}) == 6
    counts = {name: len(packs) for name, packs in packs_by_name(fleet).items()}
    assert counts == {**dict.fromkeys(SAME_EVERYWHERE, 1), "cext-sdist": 2}
    assert len(fleet.packs()) == 8

    b_old, b_new = new_runner("b", old), new_runner("b", new)
    pulled = fleet.pull(b_new, uvs=[old])
    assert len(pulled.names) == 14
    assert len(pulled.plan.fetched) == 8
    assert len(list((b_new.cache / "archive-v0").iterdir())) == 8
    for runner in (b_old, b_new):
        result = runner.sync(project)
        assert (result.requests, result.builds) == ((), ())
        assert runner.copied_files() == []

    c_old, c_new = new_runner("c", old), new_runner("c", new)
    restored = count_entries(fleet.pull(c_old).report.restored)
    assert sum(restored.values()) == 7
    assert {format_id for _, format_id in restored} == {
        "wheels-v6/map",
        "sdists-v9/map",
        "sdists-v9/git",
    }
    # When another uv comes, only what is not there in any format is fetched.
    later = fleet.pull(c_new)
    assert len(later.names) == 7
    assert [record.name for record in later.plan.fetched] == ["cext-sdist"]
    assert c_new.sync(project).requests == ()


def test_wheels_of_two_pythons_are_used_on_both_runners(
    site, new_runner, each_uv, fleet, other_python
):
    """Each runner keeps its revision of an sdist, and gets the other's wheel into it."""
    names = ("cext-sdist", "pure-sdist==1.0", "url-sdist", "git-dep")
    project = site.project(names)
    a, b = new_runner("a", each_uv), new_runner("b", each_uv, python=other_python)
    for runner in (a, b):
        assert len(runner.sync(project).builds) == 4
        fleet.promote(runner)
    tags = sorted(r.tags for r in fleet.records() if r.name == "cext-sdist")
    assert len(set(tags)) == 2
    assert {name: len(packs) for name, packs in packs_by_name(fleet).items()} == {
        "cext-sdist": 2,
        "git-dep": 1,
        "pure-sdist": 1,
        "url-sdist": 1,
    }

    pulled = [fleet.pull(runner) for runner in (a, b)]

    assert [pull.names for pull in pulled] == [["cext-sdist"], ["cext-sdist"]]
    for name in ("a", "b"):
        for python in (a.python, b.python):
            runner = new_runner(name, each_uv, python=python)
            result = runner.sync(project)
            assert (result.requests, result.builds) == ((), ())
            assert runner.copied_files() == []
            assert runner.python_says(NATIVE) == "42"


def test_two_runners_make_the_same_packs(site, new_runner, edge_uv, tmp_path):
    """Of what was downloaded, or built without a compiler, packs are equal in bytes."""
    project = site.project()
    stores = []
    for name in ("a", "b"):
        runner, fleet = (
            new_runner(name, edge_uv),
            make_fleet(tmp_path / f"store-{name}"),
        )
        assert len(runner.sync(project).builds) == 4
        fleet.promote(runner)
        stores.append(fleet)

    first, second = map(packs_by_name, stores)

    assert sorted(name for name in first if first[name] == second[name]) == (
        list(SAME_EVERYWHERE)
    )
    for name in SAME_EVERYWHERE:
        (digest,) = first[name]
        contents = {fleet.packs()[digest].read_bytes() for fleet in stores}
        assert len(contents) == 1


def test_two_runners_at_once_store_a_pack_once(site, new_runner, uv, fleet):
    """Both plan, then both promote: what is equal is written by the first only."""
    from wheelferry.ops.promote import apply_promote, plan_promote
    from wheelferry.ops.rules import Rules

    project = site.project()
    a, b = new_runner("a", uv), new_runner("b", uv)
    a.sync(project)
    b.sync(project)
    with fleet.tiers(a, []) as of_a, fleet.tiers(b, []) as of_b:
        plans = [plan_promote(tiers, Rules()) for tiers in (of_a, of_b)]
        reports = [
            apply_promote(tiers, plan)
            for tiers, plan in zip((of_a, of_b), plans, strict=True)
        ]

    assert [len(report.promoted) for report in reports] == [7, 7]
    assert [report.packs_shared for report in reports] == [0, len(SAME_EVERYWHERE)]
    assert len(fleet.packs()) == 8
    assert len(fleet.records()) == 14
    c = new_runner("c", uv)
    assert len(fleet.pull(c).names) == 7
    assert c.sync(project).builds == ()


def test_second_promotion_and_second_pull_do_nothing(site, new_runner, edge_uv, fleet):
    """What is there is neither written again nor touched, in the store or the cache."""
    project = site.project()
    a, b = new_runner("a", edge_uv), new_runner("b", edge_uv)
    a.sync(project)
    fleet.promote(a)
    fleet.pull(b)
    b.sync(project)
    before = [changes(b.cache), changes(fleet.store)]

    promoted, pulled = fleet.promote(a), fleet.pull(b)

    assert (promoted.plan.candidates, promoted.plan.in_store) == ((), 7)
    assert (pulled.plan.wanted, pulled.plan.fetched) == ((), ())
    assert (pulled.plan.present, pulled.plan.left) == (7, ())
    assert [changes(b.cache), changes(fleet.store)] == before
    ran = fleet.command(b, "pull", "--strict")
    assert (ran.returncode, ran.summary["planned"], ran.summary["present"]) == (0, 0, 7)
    assert [changes(b.cache), changes(fleet.store)] == before


def changes(root: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of the last change, in ns, of all below `root`."""
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        found[str(path)] = status.st_ino, status.st_ctime_ns
    return found


def test_restored_entries_are_never_promoted(
    site, new_runner, edge_uv, fleet, tmp_path
):
    """Into another store goes what a runner made, and nothing that it pulled."""
    a, b = new_runner("a", edge_uv), new_runner("b", edge_uv)
    a.sync(site.project())
    fleet.promote(a)
    fleet.pull(b)
    b.sync(site.project([*("pure-wheel==1.0", "cext-sdist"), "pure-sdist==1.1"]))
    other = make_fleet(tmp_path / "other-store")

    promoted = other.promote(b)

    assert promoted.plan.restored == 7
    assert promoted.names == ["pure-sdist"]
    assert [record.version for record in other.records()] == ["1.1"]
    assert (promoted.plan.left, promoted.report.rejected) == ((), [])


def test_later_packages_are_all_that_moves(site, new_runner, edge_uv, fleet):
    """A fleet that goes on ships only what is new, both ways."""
    a, b = new_runner("a", edge_uv), new_runner("b", edge_uv)
    a.sync(site.project())
    fleet.promote(a)
    fleet.pull(b)
    later = site.project(["pure-wheel==1.1", "pure-sdist==1.1", "cext-sdist"])
    cold = b.sync(later)
    assert (len(cold.downloads), len(cold.builds)) == (2, 1)

    promoted, pulled = fleet.promote(b), fleet.pull(a)

    assert promoted.names == pulled.names == ["pure-sdist", "pure-wheel"]
    assert len(pulled.plan.fetched) == 2
    assert Counter(r.version for r in fleet.records()) == {"1.0": 7, "1.1": 2}
    result = a.sync(later)
    assert (result.requests, result.builds) == ((), ())


def test_a_runner_without_uv_pulls_what_any_uv_reads(site, new_runner, fleet):
    """Where no uv is found and the cache is empty, formats that no uv trips over come."""
    project = site.project()
    uv = uvs.load_uv_or_skip("0.9.30")
    a, b = new_runner("a", uv), new_runner("b", uv)
    a.sync(project)
    fleet.promote(a)

    ran = fleet.command(b, "pull", env={"WHEELFERRY_UV_PATHS": str(b.root)})

    assert (ran.returncode, ran.warnings) == (0, [])
    assert ran.summary["restored"] == 7
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())
