"""What a scan finds in the caches of real uv, and that uv's own archives pass."""

import hashlib
from collections import Counter

import pytest

from wheelferry.sample import Dist, make_wheel
from wheelferry.uvcache.cached import CachedEntry
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.formats import Family, formats_for_uv
from wheelferry.uvcache.indexkeys import index_keys
from wheelferry.uvcache.scan import scan_cache
from wheelferry.uvcache.tree import list_tree, read_record
from wheelferry.uvcache.wheelrecord import check_record

pytestmark = pytest.mark.uv

EACH_KIND = {
    Kind.REGISTRY_WHEEL: 2,
    Kind.URL_WHEEL: 1,
    Kind.REGISTRY_SDIST: 2,
    Kind.URL_SDIST: 1,
    Kind.GIT: 1,
}


def issues(entry: CachedEntry) -> list[str]:
    files = list_tree(entry)
    found = {}
    for file in files:
        with file.open() as stream:
            data = stream.read()
        found[file.path] = (len(data), hashlib.sha256(data).digest())
    return [str(issue) for issue in check_record(read_record(files), found)]


def test_scan_finds_what_uv_cached(site, new_runner, each_uv):
    """Each kind, in the formats that this uv writes; nothing skipped or unknown."""
    runner = new_runner("a", each_uv)
    runner.sync(site.project())

    scan = scan_cache(runner.cache)

    assert dict(Counter(e.info.key.kind for e in scan.entries)) == EACH_KIND
    assert (scan.skipped, scan.unknown) == ((), ())
    expected = formats_for_uv(each_uv.release)
    written = {
        next(f for f in expected if f.startswith(family) and "git" not in f)
        for family in Family
    }
    git = next(f for f in expected if "git" in f)
    assert {entry.info.format_id for entry in scan.entries} == written | {git}
    for entry in scan.entries:
        assert issues(entry) == [], entry.info
        assert not entry.is_restored
        assert bool(entry.wheel_file) == entry.info.key.kind.is_built
        if entry.info.key.kind.has_pointer:
            dist = site.packages.find(entry.info.name)
            assert [h.value for h in entry.info.hashes] == [dist.sha256]
            assert entry.info.size_bytes in (None, len(dist.data))
            (url,) = entry.urls
            assert url.endswith(f"/{dist.filename}")


def test_keys_are_those_that_uv_makes(site, new_runner, each_uv):
    """Patterns for indexes can be compared with the directories of a cache."""
    runner = new_runner("a", each_uv)
    runner.sync(site.project(["pure-wheel==1.0", "url-wheel"]))
    shards = {e.info.name: e.info.key.shard for e in scan_cache(runner.cache).entries}
    (url_wheel,) = [d for d in site.packages.direct if d.name == "url-wheel"]
    keys = {
        "pure-wheel": index_keys(site.index.simple_url),
        "url-wheel": index_keys(site.index.direct_url(url_wheel.filename)),
    }
    assert {name: shard.split("/")[1] for name, shard in shards.items()} == {
        name: next(iter(found)) for name, found in keys.items()
    }


def test_edit_through_a_venv_is_noticed(site, new_runner, each_uv):
    """The venv's files are hardlinks: who edits them edits the cache."""
    runner = new_runner("a", each_uv)
    runner.sync(site.project(["pure-wheel==1.0"]))
    with (runner.site_packages / "pure_wheel/__init__.py").open("a") as file:
        file.write("# edited\n")
    (entry,) = scan_cache(runner.cache).entries
    (issue,) = issues(entry)
    assert issue.startswith("pure_wheel/__init__.py has ")


def test_use_of_a_venv_leaves_the_cache_clean(site, new_runner, each_uv):
    """Imports and compiled bytecode leave no traces in the archive."""
    runner = new_runner("a", each_uv)
    project = site.project(["pure-wheel==1.0", "pure-sdist==1.0"])
    runner.sync(project, "--compile-bytecode")
    runner.sync(project, env={"UV_LINK_MODE": "symlink"})
    assert (
        runner.python_says("import pure_wheel; print(pure_wheel.__version__)") == "1.0"
    )
    entries = scan_cache(runner.cache).entries
    assert [issues(entry) for entry in entries] == [[], []]


def test_built_wheel_that_was_only_resolved_is_found(site, new_runner, each_uv):
    """A lock that needs a build leaves a `.whl`; its members pass the check."""
    runner = new_runner("a", each_uv)
    runner.work.mkdir(parents=True)
    (runner.work / "pyproject.toml").write_text(site.pyproject(["dynamic-sdist"]))
    lock = runner.run("lock", f"--python={runner.python.executable}")
    assert len(lock.builds) == 1

    (entry,) = scan_cache(runner.cache).entries

    assert entry.info.name == "dynamic-sdist"
    assert entry.archive is None
    assert entry.info.metadata
    assert issues(entry) == []
    before = {f.path: (f.size_bytes, f.executable) for f in list_tree(entry)}
    runner.run("sync", f"--python={runner.python.executable}", "--frozen")
    (entry,) = scan_cache(runner.cache).entries
    assert entry.archive is not None
    after = {f.path: (f.size_bytes, f.executable) for f in list_tree(entry)}
    assert after == before


def test_local_packages_are_not_found(site, new_runner, each_uv):
    """Wheels and source trees of this machine stay on it."""
    runner = new_runner("a", each_uv)
    runner.sync(site.project(["pure-wheel==1.0"]))
    wheel = make_wheel("local-wheel")
    (runner.work / wheel.filename).write_bytes(wheel.data)
    sdist = site.packages.find("pure-sdist")
    (runner.work / sdist.filename).write_bytes(sdist.data)
    runner.pip("install", f"./{wheel.filename}", f"./{sdist.filename}")
    scan = scan_cache(runner.cache)
    assert [entry.info.name for entry in scan.entries] == ["pure-wheel"]
    assert (scan.skipped, scan.unknown) == ((), ())


def without_a_line(dist: Dist) -> Dist:
    """Return a wheel whose RECORD forgot its module."""
    import io
    import zipfile

    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(dist.data)) as old,
        zipfile.ZipFile(buffer, "w") as new,
    ):
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("/RECORD"):
                lines = data.splitlines(keepends=True)
                data = b"".join(x for x in lines if b"/__init__.py," not in x)
            new.writestr(info, data)
    return Dist(
        name=dist.name,
        version=dist.version,
        filename=dist.filename,
        data=buffer.getvalue(),
        metadata=dist.metadata,
    )


def test_wheel_that_forgot_a_file_is_not_vouched_for(site, new_runner, each_uv):
    """Whether uv heals RECORD or not, the file has no digest to check."""
    site.index.add(without_a_line(make_wheel("forgetful")))
    runner = new_runner("a", each_uv)
    runner.pip("install", "forgetful")
    (entry,) = scan_cache(runner.cache).entries
    (issue,) = issues(entry)
    assert issue.startswith("forgetful/__init__.py ")
