"""A small fleet, in every way, with real uv: what must be so whatever it costs."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.fleet import proxy
from benchmarks.fleet.course import Course
from benchmarks.fleet.inputs import Inputs, make_sample
from benchmarks.fleet.local import open_local
from benchmarks.fleet.names import Scenario
from benchmarks.fleet.names import Way as Name
from benchmarks.fleet.sample import Sample
from benchmarks.fleet.ways import BY_ID, Way
from tests.support.uvs import Uv, load_uv_or_skip

pytestmark = pytest.mark.uv


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Sample packages, one of them an sdist, with locks."""
    return make_sample(tmp_path_factory.mktemp("inputs"))


def _run(
    inputs: Inputs,
    uv: Uv,
    folder: Path,
    ways: Sequence[Way],
    *scenarios: Scenario,
    kept: Path | None = None,
) -> list[Sample]:
    disk = folder / "a disk"  # whose name no script may take for two
    disk.mkdir()
    with open_local(inputs.files, runners=2, folder=disk) as place:
        course = Course(
            place=place,
            inputs=inputs,
            uv=uv,
            ways=ways,
            scenarios=scenarios,
            jobs=1,
            folder=kept or folder,
        )
        return list(course.run(1))


def test_without_sharing_each_runner_downloads_and_builds(
    inputs: Inputs, uv: Uv, tmp_path: Path
) -> None:
    """Two runners cost the same each; what one has, it has for its next job."""
    ways = [BY_ID["none"]]

    done = _run(inputs, uv, tmp_path, ways, Scenario.COLD, Scenario.NOTHING)

    *cold, nothing = done
    assert [sample.scenario for sample in done] == ["cold fleet"] * 2 + ["nothing new"]
    assert [(s.runner, s.index_requests > 4, s.builds) for s in cold] == [
        ("r1", True, 1),
        ("r2", True, 1),
    ]
    assert cold[0].index_bytes == cold[1].index_bytes > 0
    assert (nothing.index_requests, nothing.builds, nothing.has_failed) == (0, 0, False)


@pytest.mark.parametrize(
    "name", ["shared", "rsync", "cp", "tar", "wheelferry", "lock", "daemon", "floor"]
)
def test_new_runner_gets_all_from_the_share(
    name: str, inputs: Inputs, uv: Uv, tmp_path: Path
) -> None:
    """It asks the index for nothing, and builds nothing."""
    [joined] = _run(inputs, uv, tmp_path, [BY_ID[name]], Scenario.JOINS)

    assert (joined.runner, joined.scenario, joined.has_failed) == (
        *("r2", "new runner joins"),
        False,
    )
    assert (joined.index_requests, joined.index_bytes, joined.builds) == (0, 0, 0)
    assert joined.share_bytes > 0


def test_proxy_asks_the_index_once_for_a_fleet(
    inputs: Inputs, uv: Uv, tmp_path: Path
) -> None:
    """Its second runner gets all files from it, and builds on its own."""
    try:
        proxy.install(tmp_path / "kept")
    except AssertionError as exc:
        pytest.skip(f"{exc}; it comes from the package index that pip is set up for")

    ways, kept = [BY_ID["proxy"]], tmp_path / "kept"
    first, second = _run(inputs, uv, tmp_path, ways, Scenario.WARM, kept=kept)

    assert (first.has_failed, second.has_failed) == (False, False)
    assert first.index_bytes > 0
    assert second.index_bytes == 0
    assert (first.builds, second.builds) == (1, 1)


@pytest.mark.parametrize("name", ["tar", "lock"])
def test_added_wheel_is_downloaded_once(
    name: str, inputs: Inputs, uv: Uv, tmp_path: Path
) -> None:
    """By the runner whose job is the first to want it."""
    first, second = _run(inputs, uv, tmp_path, [BY_ID[name]], Scenario.ADDED)

    assert (first.index_requests > 0, second.index_requests) == (True, 0)
    assert (first.has_failed, second.has_failed) == (False, False)


def test_old_uv_shares_too(inputs: Inputs, tmp_path: Path) -> None:
    """It reads the same lock, and asks the index by way of the runner's port."""
    old = load_uv_or_skip("0.5.14")

    [joined] = _run(inputs, old, tmp_path, [BY_ID["lock"]], Scenario.JOINS)

    assert (joined.index_requests, joined.builds, joined.has_failed) == (0, 0, False)


def test_proxy_that_cannot_be_had_does_not_end_the_run(
    inputs: Inputs,
    uv: Uv,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Without a network it is left out; the ways after it are measured."""

    def make(root: Path, **_options: bool) -> None:
        python = root / "bin/python"
        python.parent.mkdir(parents=True)
        python.write_text("#!/bin/sh\necho no network >&2; exit 3\n")
        python.chmod(0o755)

    monkeypatch.setattr("venv.create", make)
    ways = [BY_ID["proxy"], BY_ID["none"]]

    done = _run(inputs, uv, tmp_path, ways, Scenario.COLD)

    assert [sample.way for sample in done] == ["no sharing"] * 2
    said = capfd.readouterr().err
    assert "index proxy is left out of what else this round has: no proxpi" in said


def test_way_that_fails_does_not_end_the_run(
    inputs: Inputs, uv: Uv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its jobs count as failed, and say why; other ways go on."""
    broken = Way(name=Name.TAR, id="broken", before="echo no luck >&2; exit 3")
    helpless = Way(name=Name.CP, id="helpless", begin="exit 1")
    ways = [broken, helpless, BY_ID["none"]]

    done = _run(inputs, uv, tmp_path, ways, Scenario.COLD)

    assert [(sample.way, sample.has_failed) for sample in done] == [
        ("tar.zst", True),
        ("tar.zst", True),
        ("no sharing", False),
        ("no sharing", False),
    ]
    said = capsys.readouterr().err
    assert "failed: before:\nno luck" in said
    assert "cp -a is left out" in said
