"""What a machine has: its libraries, its C library, its distribution."""

import os
from pathlib import Path

import pytest

from tests.support.disks import CountingDisk
from tests.support.elves import make_library, module, require_gcc
from wheelferry.disk import Disk
from wheelferry.native.elf import read_elf
from wheelferry.native.gather import gather_needs
from wheelferry.native.judge import Policy, judge_needs, judge_platform
from wheelferry.native.libraries import InstalledLibraries, parse_ldconfig
from wheelferry.native.machine import (
    parse_distribution,
    read_distribution,
    read_machine,
)
from wheelferry.native.needs import encode_needs
from wheelferry.pack.writer import SourceFile


class Host:
    """A machine in a folder, with an ldconfig that counts its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listed = root / "listed"
        self.cache = root / "ld.so.cache"
        self.runs = root / "runs"
        self.ldconfig = root / "ldconfig"
        self.ldconfig.write_text(
            f"#!/bin/sh\necho $* $LD_LIBRARY_PATH >> {self.runs}\ncat {self.listed}\n"
        )
        self.ldconfig.chmod(0o755)
        (root / "lib").mkdir()
        self.disk = CountingDisk()
        self.register()

    def register(self, **libraries: Path) -> None:
        """Have ldconfig know these, by names with `_` for `.`."""
        lines = [
            f"\t{name.replace('_', '.')} (libc6,x86-64) => {path}\n"
            for name, path in libraries.items()
        ]
        self.listed.write_text(f"{len(lines)} libs found in cache\n{''.join(lines)}")
        self.cache.write_text(self.listed.read_text())

    def libraries(self) -> InstalledLibraries:
        """Look at it anew, as the next run does."""
        with (Path("/proc/self/exe")).open("rb") as file:
            elf = read_elf(file)
        assert elf is not None
        return InstalledLibraries(
            elf.arch,
            "glibc",
            memory=self.root / "memory",
            disk=self.disk,
            loader_cache=str(self.cache),
            ldconfig=(str(self.root / "absent"), str(self.ldconfig)),
            dirs=(str(self.root / "lib"),),
        )

    def count_runs(self) -> int:
        """Return how often ldconfig was run."""
        return len(self.runs.read_text().splitlines()) if self.runs.exists() else 0


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine with two libraries: one that ldconfig knows, one in a default place."""
    require_gcc()
    found = Host(tmp_path)
    a = make_library(tmp_path / "far/liba.so.1", versions=["A_1"])
    make_library(tmp_path / "lib/libb.so.1", versions=["B_1"])
    found.register(liba_so_1=a)
    return found


def test_libraries_are_found_where_the_loader_looks(host: Host) -> None:
    """In the cache of ldconfig and in the default places, and nowhere else."""
    libraries = host.libraries()

    assert libraries["liba.so.1"] == ("A_1",)
    assert libraries["libb.so.1"] == ("B_1",)
    assert "libc.so.1" not in libraries
    assert (list(libraries), len(libraries)) == (["liba.so.1", "libb.so.1"], 2)


def test_answers_are_remembered(host: Host) -> None:
    """The next run starts no process, reads no library and writes nothing."""
    for name in ("liba.so.1", "libb.so.1", "libno.so.1"):
        host.libraries().get(name)
    runs, before = host.count_runs(), (host.root / "memory").stat()
    assert runs == 3

    again = host.libraries()

    assert again["liba.so.1"] == ("A_1",)
    assert again["libb.so.1"] == ("B_1",)
    assert "libno.so.1" not in again
    assert (host.root / "memory").stat() == before
    assert host.count_runs() == runs


def test_one_run_asks_ldconfig_once(host: Host) -> None:
    """Whatever it looks for."""
    libraries = host.libraries()
    for name in ("liba.so.1", "libb.so.1", "libno.so.1"):
        libraries.get(name)

    assert host.count_runs() == 1


def test_upgrade_of_a_library_is_seen(host: Host) -> None:
    """By its file; and by what ldconfig writes, if it is another."""
    assert host.libraries()["liba.so.1"] == ("A_1",)
    far = make_library(host.root / "far/liba.so.1", versions=["A_1", "A_2"])
    assert host.libraries()["liba.so.1"] == ("A_1", "A_2")

    newer = make_library(host.root / "new/liba.so.1", versions=["A_3"])
    assert host.libraries()["liba.so.1"] == ("A_1", "A_2")
    host.register(liba_so_1=newer)
    assert host.libraries()["liba.so.1"] == ("A_3",)
    newer.unlink()
    assert "liba.so.1" not in host.libraries()
    assert far.exists()


def test_library_that_comes_later_is_seen(host: Host) -> None:
    """Whether ldconfig hears of it or not."""
    assert "libd.so.1" not in host.libraries()
    make_library(host.root / "lib/libd.so.1", versions=["D_1"])
    assert host.libraries()["libd.so.1"] == ("D_1",)


def test_library_for_another_machine_is_none(host: Host) -> None:
    """ldconfig lists those of all that it knows; the file says what it is."""
    other = bytearray((host.root / "far/liba.so.1").read_bytes())
    other[18:20] = b"\x08\x08"
    (host.root / "far/libm.so.1").write_bytes(other)
    (host.root / "far/libtext.so.1").write_text("GROUP ( libc.so.6 )\n")
    host.register(
        libm_so_1=host.root / "far/libm.so.1",
        libtext_so_1=host.root / "far/libtext.so.1",
    )

    assert "libm.so.1" not in host.libraries()
    assert "libtext.so.1" not in host.libraries()


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x92\xc0\xc0", b"\x93\x01\x02\x03"])
def test_damaged_memory_is_made_anew(host: Host, damage: bytes) -> None:
    """It only saves time; so does one that cannot be written."""
    (host.root / "memory").write_bytes(damage)
    assert host.libraries()["liba.so.1"] == ("A_1",)
    assert host.libraries()["liba.so.1"] == ("A_1",)
    assert host.count_runs() == 1


def test_environment_of_a_job_counts_for_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it puts into LD_LIBRARY_PATH is not there when the next one runs."""
    make_library(host.root / "job/libjob.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(host.root / "job"))

    assert "libjob.so.1" not in host.libraries()
    assert host.runs.read_text() == "-p\n"


def test_ldconfig_is_understood() -> None:
    """As glibc prints it, with several of one name."""
    text = (
        "3 libs found in cache `/etc/ld.so.cache'\n"
        "\tlibz.so.1 (libc6,x86-64, hwcap: avx2) => /lib/a/libz.so.1\n"
        "\tlibz.so.1 (libc6) => /lib32/libz.so.1\n"
        "\tld-linux.so.2 (ELF) => /lib/ld-linux.so.2\n"
        "Cache generated by: ldconfig (Debian GLIBC 2.36) stable release version 2.36\n"
    )
    assert parse_ldconfig(text) == {
        "libz.so.1": ["/lib/a/libz.so.1", "/lib32/libz.so.1"],
        "ld-linux.so.2": ["/lib/ld-linux.so.2"],
    }


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ('PRETTY_NAME="x"\nID=debian\nVERSION_ID="12"\n', "debian 12"),
        ("VERSION_ID='24.04'\nID=ubuntu\nID_LIKE=debian", "ubuntu 24.04"),
        ("ID=arch\nBUILD_ID=rolling\n", "arch"),
        ("", "linux"),
    ],
)
def test_distribution_is_id_and_version(text: str, distribution: str) -> None:
    """As os-release(5) has them."""
    assert parse_distribution(text) == distribution


def test_distribution_of_a_machine_without_the_file_is_unknown(tmp_path: Path) -> None:
    """The second place is looked at when the first is missing."""
    second = tmp_path / "os-release"
    paths = (str(tmp_path / "absent"), str(second))
    assert read_distribution(paths) == ""
    second.write_text("ID=alpine\nVERSION_ID=3.20.1\n")
    assert read_distribution(paths) == "alpine 3.20.1"


def test_wheel_for_a_newer_glibc_is_refused_here(tmp_path: Path) -> None:
    """On this machine as it is: with the version that it has, and a pure one passes."""
    if "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        pytest.skip("this machine has no glibc; run the tests on one that has")
    machine = read_machine(tmp_path / "memory", Disk())
    has = ".".join(map(str, machine.libc_version))

    def judge(version: str) -> str | None:
        path = tmp_path / version
        path.write_bytes(module(("libc.so.6", (version,))))
        file = SourceFile(
            path="a.so",
            size_bytes=path.stat().st_size,
            executable=True,
            open=lambda: path.open("rb", buffering=0),
        )
        tags = f"cp311-cp311-linux_{machine.arch}"
        needs = gather_needs([file], tags=tags, built_on=machine)
        return judge_needs(encode_needs(needs), machine, Policy.CHECKED)

    assert judge("GLIBC_2.999") == f"needs GLIBC_2.999, this machine has {has}"
    assert judge("GLIBC_2.17") is None
    tag = f"manylinux_2_999_{machine.arch}"
    assert judge_platform(tag, machine) == (
        f"needs glibc 2.999 by its tag, this machine has {has}"
    )
    assert judge_platform(f"linux_{machine.arch}", machine) is None
