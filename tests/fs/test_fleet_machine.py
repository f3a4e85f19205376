"""A runner of the fleet's benchmark on a disk of this machine, without a job."""

from pathlib import Path

from benchmarks.fleet.local import LocalPlace
from benchmarks.fleet.machine import Machine
from benchmarks.fleet.ways import BY_ID
from tests.support.uvs import Uv


def test_checkout_removes_nothing_beside_it(tmp_path: Path) -> None:
    """A blank in `--folder` is no end of a path: `/data/ci runner` is not `/data/ci`."""
    root, beside = tmp_path / "ci runner", tmp_path / "ci"
    root.mkdir()
    beside.mkdir()
    (beside / "precious").touch()
    project = root / "a project"
    project.mkdir()
    (project / "uv.lock").write_text("locked")
    place = LocalPlace(root, ["http://r1", "http://server"])
    [runner] = place.runners
    machine = Machine(
        runner=runner,
        way=BY_ID["none"],
        folder=f"{runner.local}/a",
        uv=Uv((0, 5, 14), Path("uv")),
        proxy_url="",
    )

    machine.renew()
    machine.check_out(project)

    assert (beside / "precious").exists()
    assert Path(machine.work, "uv.lock").read_text() == "locked"
    assert machine.count_installed() == 0
    with place.new_share("a-share"):
        assert place.share_bytes() > 0
    machine.remove()
    assert not Path(machine.folder).exists()
