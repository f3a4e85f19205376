"""What real uv builds natively, between machines that do not have the same."""

import pytest

from tests.support.fleet import make_fleet, reasons
from wheelferry.disk import Disk
from wheelferry.native.judge import Policy
from wheelferry.native.machine import read_machine
from wheelferry.ops.rules import Rules

pytestmark = pytest.mark.uv


@pytest.fixture
def machine(tmp_path):
    """What this machine has."""
    return read_machine(tmp_path / "memory", Disk())


def test_built_wheel_is_taken_by_a_machine_that_has_what_it_needs(
    site, new_runner, tmp_path, machine
):
    """And by no other: there the job builds it itself, and shares what it built."""
    fleet = make_fleet(tmp_path / "store")
    a, b, c, d = (new_runner(name) for name in "abcd")
    project = site.project(["cext-sdist==1.0", "pure-sdist==1.0"])
    a.sync(project)
    assert fleet.promote(a).names == ["cext-sdist", "pure-sdist"]

    (needs,) = [r.needs for r in fleet.records() if r.name == "cext-sdist"]
    assert needs["arch"] == machine.arch
    assert needs["libc"] == machine.libc
    assert needs["distribution"] == machine.distribution

    other = machine._replace(libc="musl" if machine.libc == "glibc" else "glibc")
    pulled = fleet.pull(b, machine=other)
    assert pulled.names == ["pure-sdist"]
    assert reasons(pulled.plan.left) == {
        "cext-sdist": f"built for {machine.libc}, this machine has {other.libc}"
    }
    (line,) = b.sync(project).builds
    assert line.startswith("cext-sdist ")
    assert b.python_says("import cext_sdist._native as n; print(n.answer())") == "42"

    assert fleet.pull(c).names == ["cext-sdist", "pure-sdist"]
    served = c.sync(project)
    assert (served.requests, served.builds) == ((), ())
    assert c.python_says("import cext_sdist._native as n; print(n.answer())") == "42"

    never = Rules(native=Policy.NEVER)
    assert fleet.pull(d, rules=never).names == ["pure-sdist"]


def test_program_obeys_the_setting(site, new_runner, tmp_path):
    """`pull.native` by its variable, with the reason in the summary and the status."""
    fleet = make_fleet(tmp_path / "store")
    a, b = new_runner("a"), new_runner("b")
    a.sync(site.project(["cext-sdist==1.0", "pure-sdist==1.0"]))
    fleet.command(a, "promote", "--strict")
    never = {"WHEELFERRY_PULL_NATIVE": "never"}
    reason = "built natively, and none such is restored here (pull.native)"

    pulled = fleet.command(b, "pull", "--strict", env=never)
    status = fleet.command(b, "status", env=never)

    assert (pulled.returncode, pulled.summary["restored"]) == (0, 1)
    assert [left["reason"] for left in pulled.summary["left"]] == [reason]
    assert [left["reason"] for left in status.summary["left"]] == [reason]
    assert fleet.command(b, "pull", "--strict").summary["restored"] == 1
