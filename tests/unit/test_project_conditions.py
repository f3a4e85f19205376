"""Markers of a lock, for one interpreter."""

import pytest

from wheelferry.project.conditions import Conditions

LINUX = {
    "sys_platform": "linux",
    "python_version": "3.11",
    "python_full_version": "3.11.2",
}
CPU = "extra == 'extra-3-app-cpu'"
ASKED = {"extra-3-app-cpu": True, "extra-3-app-gpu": False, "docs": True, "lint": False}


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("sys_platform == 'linux'", True),
        ("sys_platform == 'win32'", False),
        ("python_full_version < '3.11' or sys_platform == 'linux'", True),
    ],
)
def test_marker_of_the_interpreter(marker: str, holds: bool) -> None:
    """As PEP 508 has it."""
    assert Conditions(LINUX).hold(marker) is holds


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        (CPU, True),
        (CPU.replace("==", "!="), False),
        ('extra == "extra-3-app-gpu"', False),
        ("extra != 'extra-3-app-gpu' and sys_platform == 'win32'", False),
        ("extra == 'extra-3-app-new'", True),
        ("'docs' in extras", True),
        ("'docs' not in extras", False),
        ('"lint" in dependency_groups', False),
        ('"lint" not in dependency_groups', True),
    ],
)
def test_extras_and_groups_that_are_known(marker: str, holds: bool) -> None:
    """In uv's spelling and in PEP 751's; what is not known may be either."""
    conditions = Conditions(LINUX, lambda _, name: ASKED.get(name))
    assert conditions.hold(marker) is holds


@pytest.mark.parametrize("marker", [CPU, CPU.replace("==", "!="), "'x' not in extras"])
def test_unknown_extras_may_be_asked_for(marker: str) -> None:
    """Unless the rest of the marker says that it does not matter."""
    assert Conditions(LINUX).hold(marker)
    assert not Conditions(LINUX).hold(f"({marker}) and sys_platform == 'win32'")


@pytest.mark.parametrize(
    "marker",
    ["nonsense", "new_variable == '1'", "(" * 5000, "os_name == 'x'" * 9000, "'a'=="],
)
def test_marker_that_cannot_be_evaluated_may_hold(marker: str) -> None:
    """A needless pull costs less than a missing one; and nothing breaks."""
    assert Conditions(LINUX).hold(marker)
