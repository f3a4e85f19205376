"""What a record says of the needs of a natively built wheel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.native.needs import (
    MAX_LIBRARIES,
    Needs,
    UnknownNeeds,
    decode_needs,
    encode_needs,
    parse_version,
    reduce,
)

NAMES = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,20}\Z")
NEEDS = st.builds(
    Needs,
    arch=st.sampled_from(["x86_64", "aarch64"]),
    libc=st.sampled_from(["", "glibc", "musl"]),
    libraries=st.dictionaries(
        NAMES, st.lists(NAMES, max_size=3, unique=True).map(sorted).map(tuple)
    ).map(lambda found: tuple(sorted(found.items()))),
    distribution=st.sampled_from(["", "debian 12", "arch"]),
)
ODD = st.text(max_size=30)


@given(NEEDS)
def test_needs_come_back_as_they_were(needs: Needs) -> None:
    """Through the mapping of strings that a record carries."""
    assert decode_needs(encode_needs(needs)) == needs


def test_needs_look_like_this() -> None:
    """The form is that of RPM's requirements, and what is empty is not there."""
    libraries = (("libc.so.6", ("GLIBC_2.34", "GLIBC_ABI_DT_RELR")), ("libz.so.1", ()))

    assert encode_needs(Needs("x86_64", "glibc", libraries, "debian 12")) == {
        "arch": "x86_64",
        "distribution": "debian 12",
        "libc": "glibc",
        "libraries": "libc.so.6(GLIBC_2.34,GLIBC_ABI_DT_RELR) libz.so.1",
    }
    assert encode_needs(Needs("s390x", "", (), "")) == {"arch": "s390x"}


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu": "x86-64-v3"},
        {"arch": ""},
        {"arch": "x86 64"},
        {"libc": "bionic"},
        {"libraries": "../libz.so.1"},
        {"libraries": "/lib/libz.so.1"},
        {"libraries": "libz.so.1("},
        {"libraries": "libz.so.1(A,B"},
        {"libraries": "libz.so.1()"},
        {"libraries": "(A)"},
        {"libraries": "libz.so.1(A)(B)"},
        {"libraries": " ".join(f"lib{n}.so" for n in range(MAX_LIBRARIES + 1))},
        {"libraries": "x" * 201},
    ],
)
def test_unknown_needs_are_said(changes: dict[str, str]) -> None:
    """A key or a value that this version does not know is nothing to guess about."""
    with pytest.raises(UnknownNeeds):
        decode_needs({"arch": "x86_64", **changes})


@given(st.dictionaries(st.sampled_from(["arch", "libc", "libraries", "x"]), ODD))
def test_hostile_needs_are_decoded_or_refused(needs: dict[str, str]) -> None:
    """What comes out is made of plain names."""
    try:
        decoded = decode_needs(needs)
    except UnknownNeeds:
        return
    for name, versions in decoded.libraries:
        assert all(map(str.isascii, (name, *versions)))
        assert "/" not in name


def test_highest_version_of_each_series_is_kept() -> None:
    """By number, not by text; what has no number stays."""
    found = ["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.17", "CXXABI_1.3", "CXXABI_1.3.13"]

    assert reduce([*found, "GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE"]) == (
        "CXXABI_1.3.13",
        "GLIBC_2.34",
        "GLIBC_ABI_DT_RELR",
        "GLIBC_PRIVATE",
    )


@pytest.mark.parametrize(
    ("version", "parsed"),
    [
        ("GLIBCXX_3.4.30", ("GLIBCXX_", (3, 4, 30))),
        ("libmysqlclient_18", ("libmysqlclient_", (18,))),
        ("GLIBC_PRIVATE", ("GLIBC_PRIVATE", ())),
        ("NCURSES6_TINFO_5.0.19991023", ("NCURSES6_TINFO_", (5, 0, 19991023))),
        ("Qt_5", ("Qt_", (5,))),
        ("1.0", ("1.0", ())),
    ],
)
def test_version_has_a_series_and_a_number(version: str, parsed: object) -> None:
    """As libraries name them."""
    assert parse_version(version) == parsed
