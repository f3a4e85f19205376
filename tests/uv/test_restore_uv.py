"""What is restored, real uv uses: nothing asked, nothing built, nothing pruned."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.ferry import ferry
from wheelferry.disk import try_lock
from wheelferry.sample import Dist, make_sdist, source_tree
from wheelferry.sample.packages import _tar_gz
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.formats import find_format
from wheelferry.uvcache.pointer import decode_pointer
from wheelferry.uvcache.restore import Outcome, Result
from wheelferry.uvcache.scan import scan_cache

pytestmark = pytest.mark.uv

EACH_KIND = {
    Kind.REGISTRY_WHEEL: 2,
    Kind.URL_WHEEL: 1,
    Kind.REGISTRY_SDIST: 2,
    Kind.URL_SDIST: 1,
    Kind.GIT: 1,
}


def results(outcomes: list[Outcome]) -> dict[Result, int]:
    return dict(Counter(outcome.result for outcome in outcomes))


def archives(cache: Path) -> set[str]:
    return {path.name for path in (cache / "archive-v0").iterdir()}


def test_restored_cache_serves_uv(site, new_runner, each_uv):
    """After a restore into no cache at all, a job asks nothing and builds nothing."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)

    outcomes = ferry(a.cache, b.cache)

    assert results(outcomes) == {Result.RESTORED: 7}
    assert dict(Counter(o.info.key.kind for o in outcomes)) == EACH_KIND
    warm = b.sync(project)
    assert (warm.requests, warm.builds) == ((), ())
    assert not warm.fell_back_to_copies
    assert b.copied_files() == []
    b.sync(project, "--offline")
    again = b.sync(project, "--reinstall")
    assert (again.downloads, again.builds) == ((), ())

    before = archives(b.cache)
    b.run("cache", "prune")
    assert archives(b.cache) == before
    assert b.sync(project, "--offline").builds == ()
    assert results(ferry(a.cache, b.cache)) == {Result.ALREADY_PRESENT: 7}


def test_restore_under_a_strict_umask_serves_uv(site, new_runner, uv):
    """Where jobs run under umask 077, uv makes hardlinks of what was restored."""
    project = site.project()
    a, b = new_runner("a", uv), new_runner("b", uv)
    a.sync(project, umask=0o077)
    ferry(a.cache, b.cache)
    warm = b.sync(project, umask=0o077)
    assert (warm.requests, warm.builds) == ((), ())
    assert b.copied_files() == []


def test_restore_mends_what_prune_ci_took(site, new_runner, each_uv):
    """After `uv cache prune --ci` a restore makes the cache whole again."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    ferry(a.cache, b.cache)
    b.run("cache", "prune", "--ci")
    assert len(archives(b.cache)) < 7

    ferry(a.cache, b.cache)

    warm = b.sync(project)
    assert (warm.requests, warm.builds) == ((), ())
    again = b.sync(project, "--reinstall")
    assert (again.downloads, again.builds) == ((), ())


def test_restore_mends_what_clean_took(site, new_runner, each_uv):
    """After `uv cache clean PKG` a restore brings that package back."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    ferry(a.cache, b.cache)
    b.run("cache", "clean", "pure-wheel", "cext-sdist", "url-sdist", "git-dep")

    outcomes = ferry(a.cache, b.cache)

    assert Result.SKIPPED not in results(outcomes)
    warm = b.sync(project)
    assert (warm.requests, warm.builds) == ((), ())


def test_builds_of_two_pythons_meet_in_the_local_revision(
    site, new_runner, each_uv, other_python
):
    """Both runners keep their own revision, and each gets the other's wheel into it."""
    project = site.project(["cext-sdist", "url-sdist", "git-dep"])
    a = new_runner("a", each_uv)
    b = new_runner("b", each_uv, python=other_python)
    a.sync(project)
    b.sync(project)
    revisions = sorted(b.cache.glob("sdists-*/**/revision.http"))
    before = [path.read_bytes() for path in revisions]

    outcomes = ferry(a.cache, b.cache)

    assert {o.info.name: o.result for o in outcomes} == {
        "cext-sdist": Result.RESTORED,
        "url-sdist": Result.ALREADY_PRESENT,
        "git-dep": Result.ALREADY_PRESENT,
    }
    assert [path.read_bytes() for path in revisions] == before
    both = [new_runner("b", each_uv), new_runner("b", each_uv, python=other_python)]
    for runner in both:
        warm = runner.sync(project)
        assert (warm.requests, warm.builds) == ((), ())
        code = "import cext_sdist._native as n; print(n.answer())"
        assert runner.python_says(code) == "42"
        again = runner.sync(project, "--reinstall")
        assert (again.downloads, again.builds) == ((), ())


def test_settings_shards_are_restored(site, new_runner, each_uv):
    """A wheel built with settings is found by jobs with these settings."""
    settings = 'config-settings = { taste = "mint" }'
    project = site.project(["pure-sdist==1.0"], settings=settings)
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    ferry(a.cache, b.cache)
    warm = b.sync(project)
    assert (warm.requests, warm.builds) == ((), ())
    installed = b.site_packages / "pure_sdist/settings.json"
    assert installed.read_text() == '{"taste": "mint"}'


def test_another_sdist_under_the_same_url_is_left_alone(site, new_runner, uv):
    """A revision with other digests stays; the record is skipped, and says why."""
    project = site.project(["pure-sdist==1.0"])
    a, b = new_runner("a", uv), new_runner("b", uv)
    a.sync(project)
    b.sync(project)
    (pointer,) = b.cache.glob("sdists-*/**/revision.http")
    digest = site.packages.find("pure-sdist").sha256.encode()
    forged = pointer.read_bytes().replace(digest, digest[::-1], 1)
    pointer.write_bytes(forged)

    (outcome,) = ferry(a.cache, b.cache)

    assert outcome.result is Result.SKIPPED
    assert "another file under this name" in outcome.reason
    assert pointer.read_bytes() == forged


def test_prune_and_clean_wait_for_a_restore(site, new_runner, each_uv):
    """While we hold the root lock shared, jobs run, and prune does not: from 0.8.19 on."""
    project = site.project(["pure-wheel==1.0"])
    a = new_runner("a", each_uv)
    a.sync(project)
    lock = try_lock(a.cache / ".lock", shared=True)
    assert lock is not None
    with lock:
        a.sync(project)
        prune = a.run("cache", "prune", ok=False, env={"UV_LOCK_TIMEOUT": "1"})
        assert (prune.returncode != 0) is each_uv.has_root_lock
    a.run("cache", "prune")


def odd_sdist(name: str, spelled: str, *, dynamic: bool = False) -> Dist:
    """Make an sdist whose backend spells the wheel's name as it likes."""
    tree = source_tree(name, dynamic=dynamic)
    ours = b'filename = f"{module}-'
    backend = tree["_build/backend.py"]
    assert ours in backend
    theirs = f'filename = f"{spelled}-'.encode()
    tree["_build/backend.py"] = backend.replace(ours, theirs)
    plain = make_sdist(name, dynamic=dynamic)
    stem = plain.filename.removesuffix(".tar.gz")
    return replace(plain, data=_tar_gz(stem, tree))


@pytest.mark.parametrize("spelled", ["Odd.Name", "Odd_Name"])
def test_wheel_that_its_backend_spelled_otherwise_is_restored(
    site, new_runner, each_uv, spelled
):
    """uv keeps the `.whl` under the backend's name: it is one entry, and no build."""
    site.index.add(odd_sdist("odd-name", spelled))
    project = site.project(["odd-name"])
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    (entry,) = scan_cache(a.cache).entries
    assert entry.info.key.stem == "odd_name-1.0-py3-none-any"
    assert entry.wheel_file is not None
    assert entry.wheel_file.name == f"{spelled}-1.0-py3-none-any.whl"

    assert results(ferry(a.cache, b.cache)) == {Result.RESTORED: 1}
    assert results(ferry(a.cache, a.cache)) == {Result.ALREADY_PRESENT: 1}

    for args in ((), ("--reinstall",), ("--refresh",)):
        warm = b.sync(project, *args)
        assert (warm.downloads, warm.builds) == ((), ())


def test_wheel_that_was_only_resolved_has_uvs_spelling_for_its_key(
    site, new_runner, each_uv
):
    """Also where there is no link yet that would tell it."""
    site.index.add(odd_sdist("odd-name", "Odd.Name", dynamic=True))
    runner = new_runner("a", each_uv)
    runner.work.mkdir()
    (runner.work / "pyproject.toml").write_text(site.pyproject(["odd-name"]))
    runner.run("lock", f"--python={runner.python.executable}")
    (entry,) = scan_cache(runner.cache).entries
    assert entry.archive is None
    assert entry.info.key.stem == "odd_name-1.0-py3-none-any"


def strip_pointers(cache: Path, field: str) -> None:
    """Make pointers as a uv writes them that knows no digest, or no size."""
    for entry in scan_cache(cache).entries:
        row = find_format(entry.info.format_id)
        assert row is not None
        pointer = decode_pointer(
            entry.info.pointer, family=row.family, framing=row.framing
        )
        payload = pointer.payload
        nothing: object = [] if field == "hashes" else None
        if isinstance(payload, dict):
            payload = {**payload, field: nothing}
        elif field == "hashes":
            payload = [payload[0], nothing, *payload[2:]]
        elif pointer.size_bytes is not None:
            payload = [*payload[:-1], nothing]
        data = pointer._replace(payload=payload).with_id(pointer.target_id)
        Path(entry.stamp.files[0][0]).write_bytes(data)


FILES = ["pure-wheel==1.0", "pure-sdist==1.0", "url-wheel", "url-sdist"]


def test_entry_without_digests_is_of_no_use_to_a_lock(site, new_runner, each_uv):
    """uv downloads and builds again, and does not fail; the entry says so of itself."""
    project = site.project(FILES)
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    assert {e.info.shortcoming for e in scan_cache(a.cache).entries} == {""}
    strip_pointers(a.cache, "hashes")
    found = [e.info for e in scan_cache(a.cache).entries]
    assert all("no digest" in info.shortcoming for info in found)

    assert results(ferry(a.cache, b.cache)) == {Result.RESTORED: 4}

    job = b.sync(project)
    assert len({request.path for request in job.downloads}) == 4
    assert len(job.builds) == 2


def test_entry_without_size_serves_a_lock_with_sizes(site, new_runner, each_uv):
    """uv compares sizes only where it has both."""
    project = site.project(FILES)
    assert "size = " in project.lock
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    strip_pointers(a.cache, "size")
    found = [e.info for e in scan_cache(a.cache).entries]
    assert {(info.size_bytes, info.shortcoming) for info in found} == {(None, "")}
    ferry(a.cache, b.cache)
    for args in ((), ("--reinstall",), ("--refresh",)):
        warm = b.sync(project, *args)
        assert (warm.downloads, warm.builds) == ((), ())


def test_restored_entries_are_scanned_as_what_they_were(site, new_runner, each_uv):
    """A scan of the restored cache finds the same entries, and knows them as restored."""
    project = site.project()
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    ferry(a.cache, b.cache)
    old, new = scan_cache(a.cache), scan_cache(b.cache)
    assert {e.info.key for e in new.entries} == {e.info.key for e in old.entries}
    assert all(e.is_restored for e in new.entries)
    assert new.skipped == ()
