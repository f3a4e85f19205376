"""What real uv removed from a cache is not carried back, unless a job asks for it."""

from pathlib import Path

import pytest

from tests.support import uvs
from tests.support.fleet import Fleet, make_fleet
from tests.support.runner import Runner

pytestmark = pytest.mark.uv

EVERYTHING = [
    "cext-sdist",
    "git-dep",
    "native-wheel",
    "pure-sdist",
    "pure-wheel",
    "url-sdist",
    "url-wheel",
]
WHEELS = ["native-wheel", "pure-wheel", "url-wheel"]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


def fill(fleet: Fleet, runner: Runner) -> list[str]:
    """Pull in the background; return the packages that came."""
    pulled = fleet.pull(runner, is_background=True)
    assert (pulled.report.failed, pulled.plan.faults) == ([], ())
    return pulled.names


def is_there(runner: Runner) -> set[str]:
    """Return the wheels that uv has in buckets, by package."""
    found = [
        *runner.cache.glob("wheels-v*/*/*/*"),
        *runner.cache.glob("sdists-v*/*/*/*"),
    ]
    return {path.name for path in found}


def test_what_uv_clean_removed_stays_away(site, new_runner, each_uv, fleet):
    """`uv cache clean NAME` is for good; a job's pull brings it, and so does no other."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    assert fill(fleet, b) == EVERYTHING
    assert fill(fleet, b) == []

    b.run("cache", "clean", "pure-wheel", "pure-sdist")
    assert not is_there(b) & {"pure-wheel", "pure-sdist"}
    assert fill(fleet, b) == []
    assert fleet.pull(b).names == ["pure-sdist", "pure-wheel"]
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())

    b.run("cache", "clean", "pure-sdist")
    assert fill(fleet, b) == []


def test_what_was_only_promoted_stays_away(site, new_runner, each_uv, fleet):
    """The runner that had it first does not get it back either."""
    a = new_runner("a", each_uv)
    a.sync(site.project())
    fleet.promote(a)
    a.run("cache", "clean", "pure-wheel")
    assert fill(fleet, a) == []
    assert fleet.promote(a).plan.candidates == ()


def test_what_prune_for_ci_removed_stays_away(site, new_runner, each_uv, fleet):
    """`uv cache prune --ci` keeps what was built here, and what it took stays away.

    A promotion after it has nothing to add: what is left was in the store before.
    """
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    fill(fleet, b)
    b.run("cache", "prune", "--ci")
    (gone,) = [set(WHEELS) - is_there(b)]
    assert gone
    assert fill(fleet, b) == []
    assert not is_there(b) & gone
    assert fleet.promote(b).names == []
    assert fill(fleet, b) == []

    assert gone <= set(fleet.pull(b).names)
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())


def test_what_prune_took_of_another_uv_stays_away(site, new_runner, uv, fleet):
    """The newest uv prunes the buckets of an old one; they are not made again."""
    old = uvs.load_uv_or_skip("0.9.30")
    a, b = new_runner("a", old), new_runner("b", uv)
    a.sync(site.project(["pure-wheel", "pure-sdist"]))
    fleet.promote(a)
    pulled = fleet.pull(b, uvs=[old], is_background=True)
    assert pulled.names == ["pure-sdist", "pure-wheel"]
    before = is_there(b)
    b.run("cache", "prune")
    assert before - is_there(b)
    again = fleet.pull(b, uvs=[old], is_background=True)
    assert (again.names, len(again.plan.left)) == ([], 2)


def test_what_prune_keeps_is_as_it_was(site, new_runner, each_uv, fleet):
    """`uv cache prune` takes nothing of what is restored, so nothing has to come back."""
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(site.project())
    fleet.promote(a)
    assert fill(fleet, b) == EVERYTHING
    b.run("cache", "prune")
    assert fill(fleet, b) == []
    assert fleet.pull(b).plan.present == len(EVERYTHING)


def test_cache_that_was_cleaned_as_a_whole_is_filled_again(
    site, new_runner, each_uv, fleet
):
    """After `uv cache clean` it is a new cache, before and after uv makes it."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    assert fill(fleet, b) == EVERYTHING
    b.run("cache", "clean")
    assert fill(fleet, b) == EVERYTHING

    b.run("cache", "clean")
    b.run("venv", "--python", str(b.python.executable))
    assert (b.cache / "CACHEDIR.TAG").exists()
    assert fill(fleet, b) == EVERYTHING
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())
