"""`verify --cache` names the files that a job has edited, and nothing else."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cachetree import few, formats_of, make_cache, make_files, many, plan
from tests.support.tiers import Ferry, make_store
from wheelferry.events import Event, discard
from wheelferry.ops.finding import Severity
from wheelferry.ops.verify_cache import (
    MAX_NAMED,
    CacheReport,
    verify_cache,
    verify_entries,
)
from wheelferry.uvcache.scan import scan_cache

ENTRIES = few()
MODULE = "pure_wheel/__init__.py"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache with two wheels from an index, and two that came from a store."""
    other = make_cache(tmp_path / "other", ENTRIES)
    store = make_store(tmp_path / "store")
    ferry = Ferry(cache=other, store=store)
    ferry.promote()
    cache = make_cache(tmp_path / "cache", [plan("here"), plan("there")])
    pulled = replace(ferry, cache=cache, runner="r2").pull(formats_of(ENTRIES))
    assert len(pulled.restored) == 2
    return cache


def archive_of(cache: Path, module: str) -> Path:
    """Return the archive that has a package."""
    (path,) = cache.glob(f"archive-v0/*/{module}")
    return path.parent


def install(archive: Path, environment: Path) -> Path:
    """Make an environment of hardlinks, as uv does."""
    shutil.copytree(archive, environment, copy_function=os.link)
    return environment


def errors(report: CacheReport) -> list[tuple[str, str]]:
    """Return reference and message of the errors."""
    return [
        (finding.reference, finding.message)
        for finding in report.findings
        if finding.severity is Severity.ERROR
    ]


def test_cache_as_it_was_made_is_clean(cache: Path) -> None:
    """Every file of every archive was read, once."""
    events: list[Event] = []
    report = verify_cache(cache, events.append)

    assert report.findings == []
    assert (report.archives, report.restored, report.edited) == (4, 2, 0)
    archived = [p for p in cache.glob("archive-v0/*/**/*") if p.is_file()]
    assert report.files == len(archived)
    assert report.file_bytes == sum(path.stat().st_size for path in archived)
    assert events[-1].fields["done"] == events[-1].fields["total"] == 4


def test_all_kinds_of_entries_are_looked_at(tmp_path: Path) -> None:
    """Of all formats; wheels that were never unpacked have no archive to edit."""
    report = verify_cache(make_cache(tmp_path / "cache", many()), discard)
    assert report.findings == []
    assert report.archives == len(many()) - 1


@pytest.mark.parametrize(
    ("module", "whence"), [("pure_wheel", "the store"), ("here", "an index")]
)
def test_file_that_was_edited_through_an_environment_is_named(
    cache: Path, tmp_path: Path, module: str, whence: str
) -> None:
    """With where it came from, who shares it, and what to type."""
    archive = archive_of(cache, module)
    environment = install(archive, tmp_path / "venv")
    with (environment / module / "__init__.py").open("a") as stream:
        stream.write("print('debug')\n")
    report = verify_cache(cache, discard)

    (finding,) = report.findings
    assert (finding.severity, finding.reference) == (Severity.ERROR, "file-edited")
    assert str(archive / module / "__init__.py") in finding.subject
    assert "(edited?)" in finding.message
    assert whence in finding.message
    assert "1 more names" in finding.message
    name = module.replace("_", "-")
    assert f"uv cache clean {name}`" in finding.hint
    assert f"--reinstall-package {name}" in finding.hint
    assert (report.edited, report.is_clean) == (1, False)


def edited_to_the_same_size(path: Path) -> str:
    path.write_bytes(path.read_bytes()[::-1])
    return "does not match its digest"


def emptied(path: Path) -> str:
    path.write_bytes(b"")
    return "is empty"


def removed(path: Path) -> str:
    path.unlink()
    return "missing"


def added_to(path: Path) -> str:
    path.with_name("extra.py").write_text("")
    return "is not listed in RECORD"


def made_a_link(path: Path) -> str:
    path.unlink()
    path.symlink_to("/etc/passwd")
    return "is neither a file nor a directory"


def lost_its_record(path: Path) -> str:
    next(path.parents[1].glob("*.dist-info/RECORD")).unlink()
    return "no RECORD"


@pytest.mark.parametrize(
    "edit",
    [edited_to_the_same_size, emptied, removed, added_to, made_a_link, lost_its_record],
    ids=lambda edit: edit.__name__,
)
def test_each_kind_of_edit_is_found(cache: Path, edit: Callable[[Path], str]) -> None:
    """One finding, of one archive."""
    said = edit(archive_of(cache, "pure_wheel") / MODULE)
    report = verify_cache(cache, discard)

    assert len(errors(report)) == 1, report.findings
    assert said in errors(report)[0][1]
    assert report.edited == 1


def test_archive_of_which_much_was_edited_is_not_named_file_by_file(
    tmp_path: Path,
) -> None:
    """A power loss may have emptied thousands."""
    names = [f"f{number}" for number in range(MAX_NAMED + 5)]
    files = make_files("large", "1.0", **dict.fromkeys(names, (b"content", False)))
    entry = plan("large", files=files)
    cache = make_cache(tmp_path / "cache", [entry])
    for path in archive_of(cache, "large").glob("large/f*"):
        path.write_bytes(b"")
    found = errors(verify_cache(cache, discard))

    assert len(found) == MAX_NAMED + 1
    assert "5 more" in found[-1][1]


def test_files_without_a_digest_are_no_edit(tmp_path: Path) -> None:
    """They cannot be compared, and it says so."""
    files = dict(make_files("plain"))
    record = "plain-1.0.dist-info/RECORD"
    lines = files[record][0].decode().splitlines(keepends=True)
    lines[0] = "plain/__init__.py,,\n"
    files[record] = "".join(lines).encode(), False
    cache = make_cache(tmp_path / "cache", [plan("plain", files=files)])
    report = verify_cache(cache, discard)

    (finding,) = report.findings
    assert (finding.severity, finding.reference) == (Severity.INFO, "file-unchecked")
    assert report.is_clean


def test_archive_that_two_entries_share_is_read_once(tmp_path: Path) -> None:
    """As those of one pack do."""
    shared = make_files("pure-wheel")
    entries = (
        plan("pure-wheel", files=shared),
        plan("pure-wheel", files=shared, format_id="wheels-v6/map"),
    )
    other = make_cache(tmp_path / "other", entries)
    ferry = Ferry(cache=other, store=make_store(tmp_path / "store"))
    ferry.promote()
    (tmp_path / "cache").mkdir()
    cache = make_cache(tmp_path / "cache", [])
    pulled = replace(ferry, cache=cache, runner="r2").pull(formats_of(entries))
    assert len(pulled.restored) == 2
    (archive,) = cache.glob("archive-v0/*")
    (archive / MODULE).write_text("edited")

    report = verify_cache(cache, discard)
    assert (report.archives, len(report.findings)) == (1, 1)


@pytest.mark.parametrize("what", ["file", "archive"])
def test_entry_that_goes_meanwhile_is_no_edit(cache: Path, what: str) -> None:
    """`uv cache clean` takes it away piece by piece."""
    scanned = scan_cache(cache).entries
    archive = archive_of(cache, "pure_wheel")
    (entry,) = (entry for entry in scanned if entry.archive == archive)
    Path(entry.stamp.files[0][0]).unlink()
    if what == "file":
        (archive / MODULE).unlink()
    else:
        shutil.rmtree(archive)
    report = verify_entries(scanned, discard)

    assert report.findings == []
    assert report.archives == 4
