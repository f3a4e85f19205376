"""The tags of the wheels that an interpreter of this machine can use, the best first.

By `packaging.tags`, which knows its own interpreter only: of another one, the version
and the ABI are passed in.  The order is uv's (`uv-platform-tags/src/tags.rs`), as far as
two wheels of one package can differ.
"""

import platform
from collections.abc import Iterator, Mapping
from typing import Final

from packaging import tags

_MUSL: Final = ("1_2", "1_1", "1_0")


def list_tags(facts: Mapping[str, str]) -> list[str]:
    """Return the tags of an interpreter that has said this of itself.

    Raises ValueError, KeyError: it says too little, or is for another machine.
    """
    if facts[".bits"] != "64" or facts["platform_machine"] != platform.machine():
        raise ValueError("it is for another machine")
    major, minor = map(int, facts["python_version"].split("."))
    has_glibc = bool(facts[".libc"])
    if facts["implementation_name"] == "cpython":
        flags = facts[".threading"] + facts[".debug"]
        return cpython_tags((major, minor), flags=flags, has_glibc=has_glibc)
    if facts["implementation_name"] != "pypy":
        raise ValueError("it is neither CPython nor PyPy")
    # `.pypy39-pp73-x86_64-linux-gnu.so`
    abi = "_".join(facts[".suffix"].split(".")[1].split("-")[:2])
    interpreter, platforms = f"pp{major}{minor}", list(_platforms(has_glibc=has_glibc))
    return _texts(
        tags.generic_tags(interpreter, [abi], platforms),
        tags.compatible_tags((major, minor), interpreter, platforms),
    )


def cpython_tags(
    version: tuple[int, int], *, flags: str, has_glibc: bool = True
) -> list[str]:
    """Return the tags of a CPython; `flags` are those of its ABI: `t`, `d`."""
    interpreter = f"cp{version[0]}{version[1]}"
    platforms = list(_platforms(has_glibc=has_glibc))
    return _texts(
        tags.cpython_tags(version, [interpreter + flags], platforms),
        tags.compatible_tags(version, interpreter, platforms),
    )


def _platforms(*, has_glibc: bool) -> Iterator[str]:
    """Yield the platforms of this machine, for one of its C libraries."""
    # uv takes a wheel that says which C library it is for before one that does not.
    ours = sorted(tags.platform_tags(), key=lambda name: name.startswith("linux_"))
    if any(name.startswith("manylinux") for name in ours) == has_glibc:
        yield from ours
        return
    # An interpreter that brings a C library with it.
    machine = platform.machine()
    kind, versions = ("manylinux", ("2_17",)) if has_glibc else ("musllinux", _MUSL)
    for version in versions:
        yield f"{kind}_{version}_{machine}"
    yield f"linux_{machine}"


def _texts(*found: Iterator[tags.Tag]) -> list[str]:
    return list(dict.fromkeys(str(tag) for some in found for tag in some))
