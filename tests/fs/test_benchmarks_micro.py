"""`benchmarks.micro`: each step runs, and a profile can be looked at."""

import argparse
import pstats
import zipfile
from pathlib import Path

import pytest

from benchmarks.micro import PART
from benchmarks.steps import MODULES, find_group

_SIZES = {"trees": 1, "cache": 2, "catalog": 3}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first wheel that the benchmarks would download."""
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / "anyio-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("anyio-1.0.dist-info/RECORD", "anyio-1.0.dist-info/RECORD,,\n")
    return folder


@pytest.mark.parametrize("module", _SIZES)
def test_each_way_of_each_step_runs(module: str, tmp_path: Path, wheels: Path) -> None:
    """All that is measured works, and again on inputs that it has worked on before."""
    steps = [step for step in MODULES if MODULES[step] == module]
    group = find_group(steps[0])
    group.prepare(tmp_path, _SIZES[module], wheels)

    assert list(group.steps) == steps
    for step in 2 * steps:
        for way in group.steps[step].values():
            way(tmp_path)()
    assert f"{_SIZES[module]} {group.unit}" in group.describe(tmp_path)


def test_steps_are_compared_by_cpu_time(tmp_path: Path) -> None:
    """The report has every sample, and a row for each way."""
    report = PART.run(_parse("refresh-warm", "--sizes=2", "--rounds=1", tmp_path))

    ways = [sample["way"] for sample in report.results["samples"]]  # type: ignore[index, union-attr, call-overload]
    assert ways == ["ours", "list and read"]
    assert "| `refresh-warm`, 2 records | ours |" in report.text
    assert "|  | list and read |" in report.text


def test_profile_has_the_start_of_the_program(tmp_path: Path) -> None:
    """A step has a process of its own, where nothing was imported before."""
    path = tmp_path / "start.prof"

    report = PART.run(_parse("start", "--sizes=1", f"--profile={path}", tmp_path))

    assert "function calls" in report.text
    names = {Path(file).name for file, _, _ in pstats.Stats(str(path)).stats}  # type: ignore[attr-defined]
    assert {"app.py", "pull_plan.py"} <= names


def test_unknown_step_is_refused(tmp_path: Path) -> None:
    """The message says which there are."""
    with pytest.raises(SystemExit, match=r"no step 'scna'; there are: pack, restore"):
        PART.run(_parse("scna", tmp_path))


def _parse(*args: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    PART.add_options(parser)
    *options, folder = map(str, args)
    return parser.parse_args([*options, f"--folder={folder}"])
