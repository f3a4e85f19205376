"""What a wheel's tree needs of a machine."""

import io
from typing import BinaryIO, cast

import pytest

from tests.support.elves import module, require_gcc
from tests.support.machines import MACHINE
from wheelferry.native.elf import NotUnderstood, family_of, read_elf
from wheelferry.native.gather import gather_needs
from wheelferry.native.needs import Needs
from wheelferry.pack.writer import SourceFile

LIBC = ("libc.so.6", ("GLIBC_2.17",))


@pytest.fixture(scope="module")
def arch() -> str:
    """For what gcc builds here."""
    require_gcc()
    elf = read_elf(io.BytesIO(module(LIBC)))
    assert elf is not None
    return elf.arch


class _Unseekable(io.RawIOBase):
    """As a member of a zip file is read."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


def gather(
    arch: str,
    files: dict[str, bytes],
    *,
    tags: str | None = None,
    seekable: bool = True,
) -> Needs:
    """Return the needs of a tree."""

    def source(path: str, data: bytes) -> SourceFile:
        def opened() -> BinaryIO:
            made = io.BytesIO(data) if seekable else _Unseekable(data)
            return cast("BinaryIO", made)

        return SourceFile(
            path=path, size_bytes=len(data), executable=False, open=opened
        )

    return gather_needs(
        [source(*file) for file in files.items()],
        tags=tags or f"cp311-cp311-linux_{arch}",
        built_on=MACHINE,
    )


@pytest.mark.parametrize("seekable", [True, False])
def test_needs_are_those_of_all_files(arch: str, *, seekable: bool) -> None:
    """Of each library the highest version that any of them uses; scripts need nothing."""
    tree = {
        "a/_native.so": module(LIBC, ("libm.so.6", ("GLIBC_2.29",))),
        "a/data/tool": module(("libc.so.6", ("GLIBC_2.34", "GLIBC_ABI_DT_RELR"))),
        "a/run.sh": b"#!/bin/sh\n",
        "a/empty": b"",
        "a/small": b"\x7fE",
    }

    assert gather(arch, tree, seekable=seekable) == Needs(
        arch=arch,
        libc="glibc",
        libraries=(
            ("libc.so.6", ("GLIBC_2.34", "GLIBC_ABI_DT_RELR")),
            ("libm.so.6", ("GLIBC_2.29",)),
        ),
        distribution="debian 12",
    )


def test_what_the_tree_brings_along_is_no_need(arch: str) -> None:
    """By the name of a file, or by the name that it has for others."""
    tree = {
        "a/_native.so": module(
            LIBC, ("libours.so.1", ("OURS_1",)), ("libtheirs.so", ())
        ),
        "a.libs/libours-1a2b.so": module(LIBC, soname="libours.so.1"),
        "a.libs/libtheirs.so": module(("libz.so.1", ()), soname="other"),
    }

    assert gather(arch, tree).libraries == (LIBC, ("libz.so.1", ()))


def test_libc_is_told_by_its_name(arch: str) -> None:
    """musl's has one of its own."""
    musl = module(("libc.musl-x86_64.so.1", ()))
    assert gather(arch, {"a.so": musl}).libc == "musl"
    assert gather(arch, {"a.so": module(("libc.so", ()))}).libc == "musl"
    assert gather(arch, {"a.so": module(LIBC)}).libc == "glibc"


def test_libc_is_that_of_the_builder_if_nothing_needs_one(arch: str) -> None:
    """A module with no more than Python's API is still found by one libc's name only."""
    assert gather(arch, {"a.so": module(("libz.so.1", ()))}).libc == MACHINE.libc
    assert gather(arch, {}) == Needs(arch, "glibc", (), "debian 12")


def test_files_for_other_machines_are_data(arch: str) -> None:
    """debugpy carries modules for two; a wheel without any for its tag is odd."""
    other = bytearray(module(("libfar.so.1", ())))
    other[18:20] = (8).to_bytes(2, "little" if other[5] == 1 else "big")  # MIPS
    tree = {"a/_native.so": module(LIBC), "a/_native_mips.so": bytes(other)}

    assert gather(arch, tree).libraries == (LIBC,)
    with pytest.raises(NotUnderstood, match="is for an unknown machine"):
        gather(arch, {"a.so": bytes(other)})


@pytest.mark.parametrize("tag", ["win_amd64", "linux_x86_64.linux_aarch64", "any", ""])
def test_tag_names_one_linux_machine(arch: str, tag: str) -> None:
    """Of another it cannot be said what it needs."""
    with pytest.raises(NotUnderstood):
        gather(arch, {}, tags=f"cp311-cp311-{tag}")


def test_manylinux_tag_of_a_build_is_one_machine(arch: str) -> None:
    """Some build backends tag what they build here so."""
    tag = f"cp311-cp311-manylinux_2_17_{arch}.manylinux2014_{arch}"
    assert gather(arch, {"a.so": module(LIBC)}, tags=tag).arch == arch
    assert family_of("armv7l") == family_of("armv6l") == "arm"


def test_file_that_is_not_understood_is_named(arch: str) -> None:
    """Such a wheel is not shared, since nobody can say where it runs."""
    with pytest.raises(NotUnderstood, match=r"^a/broken\.so: it is cut off$"):
        gather(arch, {"a/broken.so": module(LIBC)[:100]})


def test_large_member_is_read(arch: str) -> None:
    """A `.whl` that was never unpacked has them compressed."""
    large = module(LIBC) + bytes(9 << 20)
    needs = gather(arch, {"a.so": large}, seekable=False)

    assert needs.libraries == (LIBC,)
