"""The interpreters of this runner: found, asked once in a while, or assumed.

What a job controls is never run: nothing below a project, and no path that a project
names.  An interpreter that is asked for and is not here, since it is in a container or
uv will download it, is assumed to be a CPython for this machine.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from wheelferry.disk import Disk
from wheelferry.disk.programs import ask_programs, run, unique_programs
from wheelferry.project.interpreter import Interpreter, Request

_STEMS: Final = ("python3", "pypy3")
_NAME: Final = re.compile(r"(python3|pypy3)(\.\d+)?t?")
_MAX_FOUND: Final = 64

_PROBE: Final = r"""
import os, platform, sys, sysconfig
i = sys.implementation
def text(v):
    level = v.releaselevel
    tail = "" if level == "final" else level[0] + str(v.serial)
    return "%d.%d.%d%s" % (v.major, v.minor, v.micro, tail)
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    libc = ""
def flag(name):
    return sysconfig.get_config_var(name) or ""
for name, value in (
    ("implementation_name", i.name),
    ("implementation_version", text(i.version)),
    ("os_name", os.name),
    ("platform_machine", platform.machine()),
    ("platform_python_implementation", platform.python_implementation()),
    ("platform_release", platform.release()),
    ("platform_system", platform.system()),
    ("platform_version", platform.version()),
    ("python_full_version", platform.python_version()),
    ("python_version", "%d.%d" % sys.version_info[:2]),
    ("sys_platform", sys.platform),
    (".libc", libc),
    (".bits", 64 if sys.maxsize > 2 ** 32 else 32),
    (".suffix", flag("EXT_SUFFIX")),
    (".threading", "t" if flag("Py_GIL_DISABLED") else ""),
    (".debug", "d" if flag("Py_DEBUG") else ""),
):
    print("%s=%s" % (name, str(value).replace("\n", " ")))
"""
"""For any Python 3: what markers ask for (PEP 508), and what its tags follow from."""

_QUESTION: Final = ("-I", "-S", "-c", _PROBE)


def find_pythons(
    directories: Iterable[Path], avoid: Sequence[Path]
) -> tuple[Path, ...]:
    """Return the interpreters in these directories, each file once.

    Args:
        directories: In the order in which they are looked through.
        avoid: Directories of projects; nothing in or below them is taken.
    """
    closed = [f"{path.resolve()}/" for path in avoid]
    found: list[Path] = []
    for directory in directories:
        if any(f"{directory.resolve()}/".startswith(below) for below in closed):
            continue
        try:
            # /usr/bin holds thousands: no `Path` is made of each, nor a match tried.
            names = os.listdir(directory)  # noqa: PTH208
        except OSError:
            continue  # PATH names what is not there, or not ours to read
        likely = sorted(name for name in names if name.startswith(_STEMS))
        found += [directory / name for name in likely if _NAME.fullmatch(name)]
    return unique_programs(
        path
        for path in found[:_MAX_FOUND]
        if not any(str(path.resolve()).startswith(below) for below in closed)
    )


def read_pythons(
    programs: Sequence[Path], *, memory: Path, disk: Disk, now_s: float
) -> tuple[Interpreter, ...]:
    """Return what interpreters say of themselves, those alike once.

    One that fails, such as a shim for a version that is not installed, is left out.
    `memory` is as for `ask_programs`.
    """
    answers = ask_programs(
        programs, _QUESTION, memory=memory, disk=disk, now_s=now_s, ask=_describe
    )
    found: dict[str, Interpreter] = {}
    for answer in answers.values():
        if answer.text and answer.text not in found:
            found[answer.text] = _decode(answer.text)
    return tuple(found.values())


def assume_python(request: Request) -> Interpreter | None:
    """Return the CPython of that version that this machine would have.

    None for another implementation, or without a minor version.
    """
    if request.implementation not in ("", "cpython") or len(request.release) < 2:
        return None
    from packaging.markers import default_environment  # noqa: PLC0415

    from wheelferry.project.tags import cpython_tags  # noqa: PLC0415

    full = ".".join(map(str, (*request.release, 0)[:3]))
    environment = {name: str(value) for name, value in default_environment().items()}
    environment |= {
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "implementation_version": full,
        "python_full_version": full,
        "python_version": ".".join(map(str, request.release[:2])),
    }
    major, minor = request.release[:2]
    tags = cpython_tags((major, minor), flags="")
    return Interpreter(environment, {tag: rank for rank, tag in enumerate(tags)})


def _describe(program: Path) -> str:
    """Return the variables of an interpreter's markers, an empty line, and its tags."""
    facts = dict(
        line.split("=", 1)
        for line in run(program, _QUESTION).splitlines()
        if "=" in line
    )
    from wheelferry.project.tags import list_tags  # noqa: PLC0415

    try:
        tags = list_tags(facts)
    except (KeyError, ValueError) as exc:
        raise OSError(f"what it says of itself makes no tags: {exc}") from exc
    lines = [f"{name}={value}" for name, value in facts.items() if name[0] != "."]
    return "\n".join((*lines, "", *tags))


def _decode(text: str) -> Interpreter:
    head, _, tail = text.partition("\n\n")
    environment = dict(line.split("=", 1) for line in head.split("\n"))
    return Interpreter(environment, {t: n for n, t in enumerate(tail.split("\n"))})
