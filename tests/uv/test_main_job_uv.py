"""The main job: promote on one runner, pull on another, and uv needs nothing."""

import stat
from collections import Counter
from pathlib import Path

import pytest

from tests.support.fleet import Fleet, count_entries, make_fleet
from tests.support.runner import Runner, UvResult
from tests.support.site import STANDARD_BUILDS
from tests.support.uvs import Uv
from wheelferry.sample import RequestKind

pytestmark = pytest.mark.uv

_FORMATS = (
    ((0, 13, 9), "wheels-v8/array5", "sdists-v11/array3", "sdists-v11/git"),
    ((0, 12, 2), "wheels-v6/map", "sdists-v9/map", "sdists-v9/git"),
    ((0, 6, 8), "wheels-v5/array4", "sdists-v9/array2", "sdists-v9/git"),
    ((0, 5, 14), "wheels-v3/array2", "sdists-v6/array2", "sdists-v6/git"),
)
"""Of the versions that `each_uv` has: what they write, spelled out."""

MINT = 'config-settings = { taste = "mint" }'


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


def standard_entries(uv: Uv) -> dict[tuple[str, str], int]:
    """Return how many entries a standard project leaves, by kind and format."""
    wheels, sdists, git = next(rest for first, *rest in _FORMATS if uv.release >= first)
    return {
        ("registry-wheel", wheels): 2,
        ("url-wheel", wheels): 1,
        ("registry-sdist", sdists): 2,
        ("url-sdist", sdists): 1,
        ("git", git): 1,
    }


def archives(runner: Runner) -> set[str]:
    return {path.name for path in (runner.cache / "archive-v0").iterdir()}


def asked_for(result: UvResult) -> dict[RequestKind, int]:
    return dict(Counter(request.kind for request in result.requests))


def assert_served(runner: Runner, result: UvResult) -> None:
    """Check that a job had all of its packages from the cache, as hardlinks."""
    assert (result.requests, result.builds) == ((), ())
    assert not result.fell_back_to_copies
    assert runner.copied_files() == []


def test_pull_leaves_uv_nothing_to_ask_and_to_build(site, new_runner, each_uv, fleet):
    """An empty cache after a pull serves a job of all kinds, online and offline."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    cold = a.sync(project)
    assert len(cold.downloads) == 6
    assert sorted(line.split()[0] for line in cold.builds) == list(STANDARD_BUILDS)

    promoted, pulled = fleet.promote(a), fleet.pull(b)

    assert fleet.entries() == standard_entries(each_uv)
    assert count_entries(promoted.report.promoted) == standard_entries(each_uv)
    assert count_entries(pulled.report.restored) == standard_entries(each_uv)
    assert (promoted.plan.left, promoted.warnings) == ((), ())
    assert (pulled.plan.left, pulled.warnings) == ((), ())
    assert archives(b) == set(fleet.packs())
    assert modes(b) == modes(a)
    assert_served(b, b.sync(project))
    code = (
        "import cext_sdist._native as c, native_wheel._native as n, git_dep, url_sdist"
    )
    assert b.python_says(f"{code}; print(c.answer(), n.answer())") == "42 42"
    assert_served(b, b.sync(project, "--offline"))
    assert fleet.verify().findings == []


def test_prune_removes_nothing_that_was_restored(site, new_runner, each_uv, fleet):
    """To `uv cache prune`, restored entries are in use: all of them stay, and work."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    fleet.pull(b)

    b.run("cache", "prune")

    assert archives(b) == set(fleet.packs())
    assert len(archives(b)) == 7
    assert fleet.pull(b).plan.wanted == ()
    assert_served(b, b.sync(project, "--offline"))


def test_reinstall_asks_for_git_only(site, new_runner, each_uv, fleet):
    """`--reinstall` builds nothing; the git repository is all that it asks for."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    fleet.pull(b)

    result = b.sync(project, "--reinstall")

    assert result.builds == ()
    assert asked_for(result).keys() == {RequestKind.MOUNT}
    assert b.copied_files() == []


def test_program_does_the_main_job_under_a_strict_umask(
    site, new_runner, each_uv, fleet
):
    """So it is for the command line, where only the user of the jobs may read."""
    umask = 0o077
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project, umask=umask)

    promoted = fleet.command(a, "promote", "--strict", umask=umask)
    pulled = fleet.command(b, "pull", "--strict", umask=umask)

    assert (promoted.returncode, promoted.stderr, promoted.warnings) == (0, "", [])
    assert (pulled.returncode, pulled.stderr, pulled.warnings) == (0, "", [])
    assert fleet.entries() == standard_entries(each_uv)
    planned = {key: promoted.summary[key] for key in ("planned", "promoted", "left")}
    assert planned == {"planned": 7, "promoted": 7, "left": []}
    planned = {key: pulled.summary[key] for key in ("planned", "restored", "left")}
    assert planned == {"planned": 7, "restored": 7, "left": []}
    assert modes(b) == {
        "directory": {"0o700"},
        "file": {"0o600"},
        "program": {"0o700"},
    }
    assert_served(b, b.sync(project, umask=umask))
    assert_served(b, b.sync(project, "--offline", umask=umask))
    assert fleet.command(b, "verify").returncode == 0


def modes(runner: Runner) -> dict[str, set[str]]:
    """Return the modes in the archives: of directories, of other files, of programs."""
    found: dict[str, set[str]] = {}
    for path in (runner.cache / "archive-v0").glob("*/**/*"):
        kind = "file"
        if path.is_dir():
            kind = "directory"
        elif path.name == "pure-wheel" or path.suffix == ".so":
            kind = "program"
        found.setdefault(kind, set()).add(oct(stat.S_IMODE(path.stat().st_mode)))
    return found


def test_pull_mends_what_prune_ci_took(site, new_runner, each_uv, fleet):
    """`uv cache prune --ci` leaves built wheels only; a pull makes the cache whole."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    fleet.pull(b)
    b.run("cache", "prune", "--ci")
    assert len(archives(b)) < 7

    pulled = fleet.pull(b)

    assert {"native-wheel", "pure-wheel", "url-wheel"} <= set(pulled.names)
    assert pulled.report.failed == []
    assert archives(b) == set(fleet.packs())
    assert_served(b, b.sync(project))
    assert b.sync(project, "--reinstall").builds == ()


def test_pull_mends_what_clean_took(site, new_runner, each_uv, fleet):
    """A pull brings back what `uv cache clean PKG` removed, and nothing else."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    fleet.pull(b)
    packages = ["cext-sdist", "pure-sdist", "pure-wheel", "url-wheel"]
    b.run("cache", "clean", *packages)
    assert b.sync(project, "--offline", ok=False).returncode != 0

    pulled = fleet.pull(b)

    assert pulled.names == packages
    assert pulled.report.failed == []
    assert_served(b, b.sync(project))


def test_locked_sync_is_served(site, new_runner, each_uv, fleet):
    """Where a job ran with `--locked`, one on another runner needs nothing for it."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project, "--locked")
    fleet.promote(a)

    assert len(fleet.pull(b).names) == 7

    assert_served(b, b.sync(project, "--locked"))
    assert_served(b, b.sync(project, "--locked", "--offline"))


def test_locked_sync_asks_for_the_metadata_that_no_job_had(
    site, new_runner, each_uv, fleet
):
    """After a `--frozen` job, `--locked` reads the metadata of a URL wheel (0.12 on)."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    fleet.pull(b)

    result = b.sync(project, "--locked")

    assert result.builds == ()
    paths = {request.path for request in result.requests}
    filename = site.packages.find("url-wheel").filename
    assert paths == ({f"/direct/{filename}"} if each_uv.release >= (0, 12) else set())


def test_pinned_pip_install_asks_for_pages_only(new_runner, each_uv, fleet):
    """`uv pip install -r` with pins downloads and builds nothing; it asks for pages."""
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    pins = ["pure-wheel", "native-wheel", "pure-sdist", "cext-sdist"]
    for runner in (a, b):
        runner.work.mkdir(parents=True)
        lines = "".join(f"{name}==1.0\n" for name in pins)
        (runner.work / "requirements.txt").write_text(lines)
    cold = a.pip("install", "-r", "requirements.txt")
    assert (len(cold.downloads), len(cold.builds)) == (4, 2)
    fleet.promote(a)
    fleet.pull(b)

    result = b.pip("install", "-r", "requirements.txt")

    assert asked_for(result) == {RequestKind.PAGE: 4}
    assert result.builds == ()
    assert b.copied_files() == []
    b.remove_venv()
    again = b.pip("install", "--offline", "-r", "requirements.txt")
    assert (again.requests, again.builds) == ((), ())


def test_pinned_pip_install_fails_offline_without_pages(site, new_runner, uv, fleet):
    """The limit: index pages are not shared, so the first such install needs them."""
    project = site.project(["pure-wheel==1.0"])
    a, b = new_runner("a", uv), new_runner("b", uv)
    a.sync(project)
    fleet.promote(a)
    fleet.pull(b)
    b.check_out(project)

    failed = b.pip("install", "--offline", "pure-wheel==1.0", ok=False)

    assert failed.returncode != 0
    assert "network was disabled" in failed.stderr
    online = b.pip("install", "pure-wheel==1.0")
    assert online.downloads == ()
    assert asked_for(online) == {RequestKind.PAGE: 1, RequestKind.METADATA: 1}


def test_metadata_of_a_later_job_is_promoted(site, new_runner, each_uv, fleet):
    """What resolving needs follows an entry that was promoted without it."""
    project = site.project(["pure-wheel==1.0"])
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    a.pip("install", "pure-wheel==1.0", "--reinstall")

    assert fleet.promote(a).names == ["pure-wheel"]

    assert len(fleet.packs()) == 1
    assert fleet.pull(b).names == ["pure-wheel"]
    b.check_out(project)
    asked = asked_for(b.pip("install", "pure-wheel==1.0"))
    assert asked == {RequestKind.PAGE: 1}
    assert fleet.promote(a).plan.candidates == ()


def test_builds_with_settings_are_entries_of_their_own(
    site, new_runner, each_uv, fleet
):
    """A wheel is found by jobs with the build settings that it was built with."""
    # uv 0.5.14 takes a wheel from an index for these settings even if it was built
    # with others; so it is no use there to tell it from ours.
    names = ["url-sdist", "pure-sdist==1.0"][: 1 if each_uv.release < (0, 6) else 2]
    plain, mint = site.project(names), site.project(names, settings=MINT)
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(plain)
    a.sync(mint)

    fleet.promote(a)
    fleet.pull(b)

    kinds = ["registry-sdist", "url-sdist"][-len(names) :]
    assert {kind: n for (kind, _), n in fleet.entries().items()} == (
        dict.fromkeys(kinds, 2)
    )
    settings = [bool(record.settings) for record in fleet.records()]
    assert Counter(settings) == {True: len(names), False: len(names)}
    assert_served(b, b.sync(plain))
    assert not (b.site_packages / "url_sdist/settings.json").exists()
    assert_served(b, b.sync(mint))
    for name in names:
        module = name.partition("=")[0].replace("-", "_")
        installed = b.site_packages / module / "settings.json"
        assert installed.read_text() == '{"taste": "mint"}'
