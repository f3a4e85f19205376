"""Rules of the code that no linter knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "wheelferry"

MUTATING = frozenset(
    [
        "chmod",
        "hardlink_to",
        "lchmod",
        "link_to",
        "mkdir",
        "rename",
        "replace",
        "rmdir",
        "symlink_to",
        "touch",
        "unlink",
        "write_bytes",
        "write_text",
    ]
)
"""Methods of `Path` that change a disk, which the linter's banned names cannot see."""

FREE = ("disk/", "sample/backend.py")
"""The one place that may; and what runs inside builds, not inside Wheelferry."""


def _sources() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def _mutations(tree: ast.Module) -> Iterator[str]:
    """Yield calls of methods that only `Path` has, on anything but a `disk` or click's formatter."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        receiver = ast.unparse(node.func.value)
        is_other = receiver.split(".")[-1] in ("disk", "_disk", "formatter")
        is_text = node.func.attr == "replace" and len(node.args) != 1
        if node.func.attr in MUTATING and not is_other and not is_text:
            yield f"line {node.lineno}: {receiver}.{node.func.attr}()"


@pytest.mark.parametrize("path", _sources(), ids=_name)
def test_module_changes_the_disk_only_through_disk(path: Path) -> None:
    """No module outside `disk/` calls a method of `Path` that changes something."""
    if _name(path).startswith(FREE):
        return

    assert list(_mutations(_tree(path))) == []


def test_mutations_are_seen() -> None:
    """The check above would see a mutation, and knows `str.replace` from `Path.replace`."""
    tree = ast.parse(
        "path.unlink()\nroot.joinpath('a').write_bytes(b'')\n"
        "text.replace('a', 'b')\npath.replace(other)\nself._disk.unlink(path)"
    )

    assert [line.split(":")[0] for line in _mutations(tree)] == [
        "line 1",
        "line 2",
        "line 4",
    ]
