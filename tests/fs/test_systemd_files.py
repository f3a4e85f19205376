"""Files of units: put there, brought up to date, and taken away again."""

import os
from pathlib import Path

import pytest

from wheelferry.disk import Disk
from wheelferry.errors import UnitsError
from wheelferry.sealed import seal as sealing
from wheelferry.sealed.files import Action, Change
from wheelferry.systemd import files
from wheelferry.systemd.files import find_instances

UNIT = "wheelferry@.service"


def seal(text: str) -> str:
    return sealing.seal(text, command="systemd install")


def drop_in(name: str, file: str = "10-wheelferry.conf", kind: str = "") -> str:
    return f"wheelferry{kind}@{name}.service.d/{file}"


def install(directory: Path, name: str, text: str = "a\n", *more: str) -> list[Action]:
    wanted = {path: seal(text) for path in (UNIT, drop_in(name), *more)}
    changes = files.plan_install(directory, wanted, name=name, has_timer=False)
    files.refuse_edited(changes)
    files.apply_changes(changes, disk=Disk())
    return [change.action for change in changes]


def uninstall(directory: Path, name: str) -> None:
    changes = files.plan_uninstall(directory, name=name)
    files.refuse_edited(changes)
    files.apply_changes(changes, disk=Disk())


def names(directory: Path) -> list[str]:
    return sorted(str(p.relative_to(directory)) for p in directory.rglob("*"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where units are."""
    path = tmp_path / "units"
    path.mkdir()
    return path


def test_install_is_idempotent(directory: Path) -> None:
    """The second time nothing changes; another text replaces what is there."""
    wanted = ["wheelferry@.service", "wheelferry@ci.service.d", drop_in("ci")]

    assert install(directory, "ci") == [Action.WRITTEN] * 2
    before = (directory / UNIT).stat()
    assert install(directory, "ci") == [Action.UNCHANGED] * 2
    assert (directory / UNIT).stat() == before
    assert install(directory, "ci", "b\n") == [Action.REPLACED] * 2
    assert (directory / UNIT).read_text() == seal("b\n")
    assert names(directory) == wanted


def test_file_is_readable_whatever_the_umask(directory: Path) -> None:
    """Root's umask of 077 makes no unit that `systemctl cat` cannot show."""
    old = os.umask(0o077)
    try:
        install(directory, "ci")
    finally:
        os.umask(old)

    assert (directory / UNIT).stat().st_mode & 0o777 == 0o644


def test_drop_in_that_is_not_wanted_any_more_goes(directory: Path) -> None:
    """Without daemon.metrics_port the drop-in of an earlier install is taken away."""
    metrics = drop_in("ci", "20-metrics.conf")
    install(directory, "ci", "a\n", metrics)
    own = directory / drop_in("ci", "50-own.conf")
    own.write_text("[Service]\n")

    assert install(directory, "ci") == [
        Action.UNCHANGED,
        Action.UNCHANGED,
        Action.REMOVED,
    ]
    assert not (directory / metrics).exists()
    assert own.exists()


@pytest.mark.parametrize("text", [seal("a\n") + "Nice=1\n", "[Service]\n", ""])
@pytest.mark.parametrize("path", [UNIT, drop_in("ci")])
def test_edited_file_is_not_replaced(directory: Path, path: str, text: str) -> None:
    """A file that somebody wrote or changed stops the install, and nothing changes."""
    install(directory, "ci")
    (directory / path).write_text(text)

    with pytest.raises(UnitsError, match="nothing was changed") as caught:
        install(directory, "ci", "b\n")
    with pytest.raises(UnitsError, match="nothing was changed"):
        uninstall(directory, "ci")

    assert str(directory / path) in caught.value.message
    assert (directory / path).read_text() == text
    assert len(names(directory)) == 3


def test_uninstall_leaves_nothing_of_ours(directory: Path) -> None:
    """All that was installed is gone, and the directories that were made for it."""
    install(directory, "ci", "a\n", drop_in("ci", "20-metrics.conf"))
    (directory / "other.service").write_text("[Service]\n")

    uninstall(directory, "ci")

    assert names(directory) == ["other.service"]


def test_uninstall_leaves_what_others_need(directory: Path) -> None:
    """Another instance keeps the unit; an administrator's drop-in keeps its directory."""
    install(directory, "ci")
    install(directory, "ci2")
    own = drop_in("ci", "50-own.conf")
    (directory / own).write_text("[Service]\n")

    uninstall(directory, "ci")

    assert names(directory) == [
        UNIT,
        "wheelferry@ci.service.d",
        own,
        "wheelferry@ci2.service.d",
        drop_in("ci2"),
    ]
    uninstall(directory, "ci2")
    assert names(directory) == ["wheelferry@ci.service.d", own]


def test_uninstall_of_what_is_not_there_is_nothing_to_do(directory: Path) -> None:
    """No directory, or one without our units, is no error."""
    assert files.plan_uninstall(directory / "absent", name="ci") == ()
    assert files.plan_uninstall(directory, name="ci") == ()


def test_units_of_an_instance_are_those_installed(directory: Path) -> None:
    """A daemon has one unit, a timer two; another instance's are not counted."""
    install(directory, "ci")
    for path in ("wheelferry-pull@.service", "wheelferry-pull@.timer"):
        (directory / path).write_text(seal("a\n"))

    assert files.find_units(directory, "ci") == ("wheelferry@ci.service",)
    assert files.find_units(directory, "ci2") == ()
    (directory / drop_in("ci2", kind="-pull")).parent.mkdir()
    (directory / drop_in("ci2", kind="-pull")).write_text(seal("a\n"))
    assert files.find_units(directory, "ci2") == (
        "wheelferry-pull@ci2.timer",
        "wheelferry-pull@ci2.service",
    )


class _Full(Disk):
    def rename(self, source: str | Path, target: str | Path) -> None:
        del source, target
        raise OSError(28, "No space left on device")


def test_failed_write_leaves_the_old_file(directory: Path) -> None:
    """A write that fails leaves what was there, and no temporary file."""
    install(directory, "ci")
    change = Change(directory / UNIT, Action.REPLACED, "new")

    with pytest.raises(UnitsError, match="No space left"):
        files.apply_changes([change], disk=_Full())

    assert (directory / UNIT).read_text() == seal("a\n")
    assert len(names(directory)) == 3


def test_port_is_of_the_loopback_alone() -> None:
    """With a port, the network is opened for that port and the loopback, not for more."""
    text = files.load_templates()["metrics.conf"]

    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines == [
        "[Service]",
        "PrivateNetwork=no",
        "RestrictAddressFamilies=AF_INET",
        "IPAddressAllow=localhost",
        "SocketBindDeny=any",
        "SocketBindAllow=ipv4:tcp:@PORT@",
    ]


def test_instances_are_found_by_their_drop_ins(tmp_path: Path) -> None:
    """Those of the daemon and of the timer; not what somebody else has put there."""
    for name in (
        "wheelferry@ci.service.d/10-wheelferry.conf",
        "wheelferry-pull@second.service.d/10-wheelferry.conf",
        "wheelferry@other.service.d/override.conf",
        "wheelferry@.service",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert find_instances(tmp_path) == (
        "wheelferry@ci.service",
        "wheelferry-pull@second.timer",
    )
    assert find_instances(tmp_path / "none") == ()
