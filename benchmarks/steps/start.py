"""Start `wheelferry pull` with nothing to do, in a process that has Python already.

Modules count only if nothing here has loaded them before: so all is imported late.
`benchmarks.startup` measures whole processes.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.steps import OURS, Group


def prepare(folder: Path, entries: int, _wheels: Path) -> None:
    """Make a runner whose cache has all that is in the store."""
    from benchmarks.runner import make_runner  # noqa: PLC0415
    from benchmarks.wheels import write_small_wheel  # noqa: PLC0415

    runner = make_runner(folder, "runner")
    for number in range(entries):
        archive = runner.add_wheel(f"p{number}-1.0-py3-none-any.whl", number)
        write_small_wheel(archive, f"p{number}", files=1)
    runner.wheelferry("promote", "--strict")


def pull(folder: Path) -> Callable[[], object]:
    """Load the program and run it, up to its exit code."""

    def run() -> None:
        from wheelferry.cli.app import run  # noqa: PLC0415

        code = run(["pull", "--quiet"], {"HOME": str(folder / "runner")})
        if code:
            raise SystemExit(code)

    return run


def import_click(_folder: Path) -> Callable[[], object]:
    """Load click, and nothing of ours."""
    return lambda: import_module("click")


def describe(folder: Path) -> str:
    """Say how many entries there are."""
    entries = len(list((folder / "runner/.cache/uv/archive-v0").iterdir()))
    return f"{entries} entries, all of them in both tiers"


GROUP = Group(
    unit="entries",
    sizes=(20,),
    prepare=prepare,
    describe=describe,
    steps={"start": {OURS: pull, "import click": import_click}},
)
