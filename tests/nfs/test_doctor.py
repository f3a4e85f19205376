"""What `doctor` says of a share that really is one."""

import pytest

from tests.nfs.conftest import NewFleet
from tests.nfs.fleet import Ferried, FerryRunner, NfsFleet
from tests.support.cachetree import plan

SHARE = (
    *("store", "mount", "round-trip", "store-space", "store-writable", "store-clock"),
    "cache-filesystem",
)
"""The checks that are about it."""

TOLD_S = 15.0
"""What a person waits for, on one slow CPU; the share has 5 s of it."""


def examine(runner: FerryRunner) -> Ferried:
    """Run it where a job would work, on the runner's own disk."""
    runner.fill(plan("one"))
    return runner.ferry("doctor", "-v", "--workspace", runner.home)


def of_share(examined: Ferried) -> dict[str, str]:
    """Return the worst that is said of the share, by check: severity and message."""
    found: dict[str, str] = {}
    for finding in examined.summary["findings"]:
        if finding["reference"] in SHARE:
            text = f"{finding['severity']}: {finding['message']}"
            found.setdefault(finding["reference"], text)
    return found


def bad(examined: Ferried) -> dict[str, str]:
    """Return those that are warnings or errors."""
    return {
        check: text
        for check, text in of_share(examined).items()
        if text.startswith(("warning", "error"))
    }


def test_share_as_it_should_be_is_well(fleet: NfsFleet) -> None:
    """All is looked at, and nothing is wrong; what was tried is gone again."""
    examined = examine(fleet.runners[0])
    assert bad(examined) == {}, examined
    assert of_share(examined).keys() == set(SHARE), examined
    assert fleet.count("staging/*/*") == 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("vers=4.2,hard,noac", "noac"),
        ("vers=4.2,hard,lookupcache=none", "lookupcache=none"),
        ("vers=4.2,soft", "soft"),
        ("vers=4.2,hard,rsize=4096,wsize=4096", "rsize"),
    ],
)
def test_mount_options_that_hurt_are_named(
    new_fleet: NewFleet, options: str, named: str
) -> None:
    """As the kernel shows them, however they were given."""
    fleet = new_fleet(runners=1, mount_options=options)
    examined = examine(fleet.runners[0])
    assert named in of_share(examined)["mount"], examined


def test_server_that_is_away_is_an_error_soon(fleet: NfsFleet) -> None:
    """Everything else is looked at all the same."""
    runner = fleet.runners[0]
    examine(runner)
    runner.machine.unplug()
    examined = examine(runner)
    runner.machine.plug()
    assert examined.returncode == 50
    assert "has not answered for 5 s" in of_share(examined)["store"]
    assert "cache-filesystem" not in bad(examined), examined
    assert examined.wall_s < TOLD_S


def test_export_that_cannot_be_written_is_an_error(fleet: NfsFleet) -> None:
    """Unless the runner only pulls."""
    runner = fleet.runners[0]
    fleet.site.server.change(fleet.export, "ro,sync,no_root_squash")
    assert "store-writable" in bad(examine(runner))
    runner.settings["WHEELFERRY_DAEMON_TASKS"] = "pull"
    assert bad(examine(runner)) == {}
