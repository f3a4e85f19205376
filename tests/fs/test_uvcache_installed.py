"""Which uv versions a machine has, without starting one twice."""

import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest

from wheelferry.disk import Disk, programs
from wheelferry.uvcache.installed import (
    find_binaries,
    parse_version_line,
    read_versions,
)

NOW_S = 1_800_000_000.0


@pytest.fixture
def make_uv(tmp_path: Path) -> Callable[..., Path]:
    """Make a script that answers as uv does."""

    def make(place: str, version: str = "0.13.9", *, status: int = 0) -> Path:
        path = tmp_path / place / "uv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"#!/bin/sh\necho 'uv {version} (0ff 2026-11-01)'\nexit {status}"
        )
        path.chmod(0o755)
        return path

    return make


def refuse(binary: Path) -> str:
    raise AssertionError(f"{binary} was asked")


def test_versions_are_asked_of_each_binary(tmp_path, make_uv):
    """Each binary is run once; versions come in ascending order."""
    binaries = [make_uv("a", "0.13.9"), make_uv("b", "0.5.14"), make_uv("c", "0.13.9")]
    found = read_versions(
        binaries, memory=tmp_path / "memory", disk=Disk(), now_s=NOW_S
    )
    assert found.releases == ((0, 5, 14), (0, 13, 9))
    assert found.failed == ()


def test_known_binary_is_not_asked_again(tmp_path, make_uv):
    """A pull with nothing to do starts no process."""
    binaries, memory = [make_uv("a")], tmp_path / "state/memory"
    first = read_versions(binaries, memory=memory, disk=Disk(), now_s=NOW_S)
    assert (
        read_versions(binaries, memory=memory, disk=Disk(), now_s=NOW_S, ask=refuse)
        == first
    )
    assert [path.name for path in memory.parent.iterdir()] == ["memory"]


def test_upgraded_binary_is_asked_again(tmp_path, make_uv):
    """Another file under the same path is another uv."""
    memory = tmp_path / "memory"
    read_versions([make_uv("a", "0.13.8")], memory=memory, disk=Disk(), now_s=NOW_S)
    replaced = make_uv("b", "0.13.9").rename(tmp_path / "a/uv")
    found = read_versions([replaced], memory=memory, disk=Disk(), now_s=NOW_S)
    assert found.releases == ((0, 13, 9),)


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"\x91\x92\xc0\xc0", b"\x81\x01\x02"]
)
def test_damaged_memory_is_made_anew(tmp_path, make_uv, content):
    """The file only saves time."""
    memory = tmp_path / "memory"
    memory.write_bytes(content)
    found = read_versions([make_uv("a")], memory=memory, disk=Disk(), now_s=NOW_S)
    assert found.releases == ((0, 13, 9),)
    again = read_versions(
        [tmp_path / "a/uv"], memory=memory, disk=Disk(), now_s=NOW_S, ask=refuse
    )
    assert again == found


def test_broken_binaries_are_reported_and_the_rest_is_found(tmp_path, make_uv):
    """One that fails, one that is gone and one that is no uv do not hide the others."""
    other = make_uv("other")
    other.write_text("#!/bin/sh\necho something else")
    binaries = [make_uv("bad", status=3), tmp_path / "gone/uv", other, make_uv("good")]
    found = read_versions(
        binaries, memory=tmp_path / "memory", disk=Disk(), now_s=NOW_S
    )
    assert found.releases == ((0, 13, 9),)
    assert [text.partition(":")[0] for text in sorted(found.failed)] == sorted(
        str(path) for path in binaries[:3]
    )


def test_memory_that_cannot_be_written_is_no_error(tmp_path, make_uv):
    """The versions are known all the same."""

    class FullDisk(Disk):
        def create_file(self, *_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

    found = read_versions(
        [make_uv("a")], memory=tmp_path / "m", disk=FullDisk(), now_s=NOW_S
    )
    assert found.releases == ((0, 13, 9),)


def test_binaries_are_found_once_and_only_if_executable(tmp_path, make_uv):
    """Directories of PATH, with links to one file, and what only looks like uv."""
    uv = make_uv("real")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/uv").symlink_to(uv)
    make_uv("plain").chmod(0o644)
    (tmp_path / "folder/uv").mkdir(parents=True)
    names = ["real", "linked", "plain", "folder", "missing"]
    if os.geteuid() == 0:  # the superuser may execute only what has some x bit
        assert not os.access(tmp_path / "plain/uv", os.X_OK)
    assert find_binaries(tmp_path / name for name in names) == (uv,)


def test_shim_is_run_under_its_own_name(tmp_path):
    """A version manager has one program, and links to it that tell what it is to be."""
    tool = tmp_path / "tools/mise"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "$(basename "$0") 0.12.24"\n')
    tool.chmod(0o755)
    (tmp_path / "shims").mkdir()
    (tmp_path / "shims/uv").symlink_to(tool)
    binaries = find_binaries([tmp_path / "shims"])
    found = read_versions(
        binaries, memory=tmp_path / "memory", disk=Disk(), now_s=NOW_S
    )
    assert (found.releases, found.failed) == (((0, 12, 24),), ())


@pytest.mark.parametrize(
    ("age_s", "is_asked"), [(0, False), (86_399, False), (86_400, True), (-5, True)]
)
def test_answer_is_believed_for_a_day(tmp_path, make_uv, age_s, is_asked):
    """The uv that a script runs may be another by then, and the script the same."""
    binaries, memory = [make_uv("a")], tmp_path / "memory"
    read_versions(binaries, memory=memory, disk=Disk(), now_s=NOW_S)
    found = read_versions(
        binaries,
        memory=memory,
        disk=Disk(),
        now_s=NOW_S + age_s,
        ask=lambda _: "uv 0.14.0",
    )
    assert found.releases == (((0, 14, 0) if is_asked else (0, 13, 9)),)


def test_failure_is_remembered_for_an_hour(tmp_path, make_uv):
    """One that hangs costs its time once, not before every job; it is always told of."""
    binaries, memory = [make_uv("a", status=3)], tmp_path / "memory"
    first = read_versions(binaries, memory=memory, disk=Disk(), now_s=NOW_S)
    assert "code 3" in first.failed[0]
    again = read_versions(
        binaries, memory=memory, disk=Disk(), now_s=NOW_S + 3599, ask=refuse
    )
    assert again == first
    later = read_versions(
        binaries,
        memory=memory,
        disk=Disk(),
        now_s=NOW_S + 3600,
        ask=lambda _: "uv 0.13.9",
    )
    assert (later.releases, later.failed) == (((0, 13, 9),), ())


@pytest.mark.parametrize("parent", ["wait", "exit 0"])
def test_hung_uv_is_killed_with_its_children(tmp_path, monkeypatch, parent):
    """Also where only a child of it hangs, and holds its output open."""
    monkeypatch.setattr(programs, "TIMEOUT_S", 0.3)
    uv = tmp_path / "uv"
    pid_file = tmp_path / "pid"
    uv.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {pid_file}\n{parent}\n")
    uv.chmod(0o755)
    found = read_versions([uv], memory=tmp_path / "m", disk=Disk(), now_s=NOW_S)
    assert "more than" in found.failed[0]
    assert ends(int(pid_file.read_text()))


def ends(pid: int) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 5)[0])
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("line", "release"),
    [
        ("uv 0.13.9 (0ff00ff 2026-11-01 x86_64-unknown-linux-gnu)\n", (0, 13, 9)),
        ("uv 0.5.14\n", (0, 5, 14)),
    ],
)
def test_version_line_has_the_release(line, release):
    """Old and new versions print more or less behind it."""
    assert parse_version_line(line) == release


@pytest.mark.parametrize("line", ["", "uv", "uv-build 1.0", "pip 24.0 from x"])
def test_other_lines_have_none(line):
    """Another program under that name is told."""
    with pytest.raises(ValueError, match="uv"):
        parse_version_line(line)
