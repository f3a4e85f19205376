"""Which wheels an interpreter takes, and which interpreter is asked for."""

import pytest

from wheelferry.project.interpreter import (
    Interpreter,
    Request,
    expand_tags,
    narrow,
    parse_request,
    pick_best,
)


def make_python(kind: str, version: str, *tags: str) -> Interpreter:
    environment = {
        "platform_python_implementation": kind,
        "python_full_version": version,
    }
    return Interpreter(environment, {tag: rank for rank, tag in enumerate(tags)})


LINUX, ABI3, PURE = "cp311-cp311-linux_x86_64", "cp39-abi3-linux_x86_64", "py3-none-any"
PYTHON = make_python("CPython", "3.11.2", LINUX, ABI3, PURE)
PYPY = make_python("PyPy", "3.9.16", PURE)


@pytest.mark.parametrize(
    ("wheels", "best"),
    [
        ([PURE, ABI3, LINUX], LINUX),
        ([PURE, ABI3], ABI3),
        (["py2.py3-none-any"], "py2.py3-none-any"),
        ([f"2-{LINUX}", f"10-{LINUX}", LINUX], f"10-{LINUX}"),
        ([f"1b-{LINUX}", f"1a-{LINUX}"], f"1b-{LINUX}"),
        ([PURE, f"9-{ABI3}"], f"9-{ABI3}"),
        (["cp312-cp312-linux_x86_64", "nonsense", ""], None),
        ([], None),
    ],
)
def test_best_wheel_is_uvs(wheels: list[str], best: str | None) -> None:
    """By tag, then by build number."""
    assert pick_best(PYTHON, wheels) == best


def test_bomb_of_tags_is_no_wheel() -> None:
    """A name may stand for only so many tags."""
    many = ".".join(f"x{n}" for n in range(100))
    assert expand_tags(f"{many}-{many}-{many}") == frozenset()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("3", Request("", (3,))),
        (" 3.12 ", Request("", (3, 12))),
        ("3.12.4", Request("", (3, 12, 4))),
        ("pypy3.10", Request("pypy", (3, 10))),
        ("cpython@3.12", Request("cpython", (3, 12))),
        ("PyPy", Request("pypy", ())),
        ("3.13t", Request("", (3, 13))),
        ("/usr/bin/python3", None),
        ("../python", None),
        (">=3.11", None),
        ("", None),
        ("graalpy", None),
    ],
)
def test_request(text: str, asked: Request | None) -> None:
    """A version, of one implementation or of any; a path is none, so it is not run."""
    assert parse_request(text) == asked


@pytest.mark.parametrize(
    ("text", "found"),
    [("3", [PYTHON, PYPY]), ("3.11", [PYTHON]), ("pypy", [PYPY]), ("3.1", [])],
)
def test_interpreters_are_narrowed(text: str, found: list[Interpreter]) -> None:
    """By the numbers of a version, not by its letters."""
    request = parse_request(text)
    assert request is not None
    assert narrow([PYTHON, PYPY], [request]) == found
    assert narrow([PYTHON, PYPY], []) == [PYTHON, PYPY]
