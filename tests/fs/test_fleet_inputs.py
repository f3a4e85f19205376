"""What a fleet's jobs install, kept from one run of the benchmark to the next."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fleet import inputs
from benchmarks.fleet.inputs import ADDED, BUMPED, WHEELS, Lock, find_wheels
from tests.support.pythons import Python, this_python


def test_wheels_of_another_python_are_fetched_again(tmp_path: Path) -> None:
    """They are of no use to this one; those of any Python are."""
    for name in (
        "numpy-2.4.1-cp38-cp38-manylinux_2_17_x86_64.whl",
        "typing_extensions-4.15.0-py3-none-any.whl",
    ):
        (tmp_path / name).touch()

    assert find_wheels(tmp_path) == {"typing-extensions==4.15.0"}


def test_what_is_wanted_is_spelled_as_what_is_found() -> None:
    """Or it would be fetched in each run."""
    wanted = [*WHEELS, *BUMPED, ADDED]
    names = [text.partition("==")[0] for text in wanted]
    assert [n.lower().replace("_", "-").replace(".", "-") for n in names] == names


def test_another_python_has_locks_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock is for one Python, which `uv sync` would not find any more."""
    (tmp_path / "files").mkdir()
    made: list[Path] = []

    def make(project: Path, _requirements: object, _proxy: str) -> None:
        made.append(project)
        project.mkdir(parents=True)
        (project / "uv.lock").write_text("package = []")

    def lock() -> None:
        inputs.lock(tmp_path, {Lock.BASE: ["a==1.0"]})

    monkeypatch.setattr(inputs, "_lock", make)
    lock()
    lock()
    other: Python = replace(this_python(), release=(3, 99))
    monkeypatch.setattr(inputs, "this_python", lambda: other)
    lock()

    assert len(set(made)) == len(made) == 2
