"""The units, judged by systemd itself: `systemd-analyze`, which needs no systemd running."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from wheelferry.systemd import files, render
from wheelferry.systemd.access import Access
from wheelferry.systemd.render import Instance

MOST_EXPOSED = 15
"""In tenths: the bound of `systemd-analyze security` that docs/operations.md states."""

NOTHING = Access(
    own="/var/lib/wheelferry/ci",
    is_own_listed=False,
    share="/mnt",
    in_home=(),
    in_temporary=(),
)
ALL = Access(
    own='/home/ci/a b%c"d/.cache',
    is_own_listed=True,
    share="/mnt/größe",
    in_home=("/home/ci",),
    in_temporary=("/tmp/uv",),
    socket="/srv/ci/a b%/run",
    is_socket_listed=True,
)
INSTANCES = {
    "daemon": Instance(name="ci", user="ci", access=NOTHING),
    "daemon-home": Instance(
        name="ci", user="gitlab", access=ALL, config_file="/etc/a b%.toml"
    ),
    "daemon-metrics": Instance(
        name="ci", user="ci", access=NOTHING._replace(metrics_port=65535)
    ),
    "daemon-home-metrics": Instance(
        name="ci", user="ci", access=ALL._replace(metrics_port=1, in_temporary=())
    ),
    "daemon-socket": Instance(
        name="ci", user="ci", access=NOTHING._replace(socket="/run/wheelferry/ci")
    ),
    "pull": Instance(name="ci", user="ci", access=NOTHING, has_timer=True),
    "pull-home": Instance(name="ci", user="gitlab", access=ALL, has_timer=True),
}

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"),
    reason="no systemd-analyze; run: apt-get install -y systemd",
)


def analyze(*argv: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(directory: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def render_all(instance: Instance, python: str) -> dict[str, str]:
    templates = files.load_templates()
    has_timer = instance.has_timer
    return {
        **render.render_templates(templates, python=python, has_timer=has_timer),
        **render.render_instance(templates, instance),
    }


@pytest.fixture
def python(tmp_path: Path) -> str:
    """An interpreter whose path needs every kind of escaping."""
    path = tmp_path / "a b%n$HOME;c" / "python"
    path.parent.mkdir()
    path.write_text("")
    path.chmod(0o755)
    return str(path)


def service(directory: Path, instance: Instance) -> Path:
    """Return the unit as that of an instance, so that its drop-ins count."""
    kind = render.PULL if instance.has_timer else render.DAEMON
    unit = directory / f"{kind}@{instance.name}.service"
    shutil.copy(directory / f"{kind}@.service", unit)
    return unit


@pytest.mark.parametrize("name", INSTANCES)
def test_units_are_understood(tmp_path: Path, python: str, name: str) -> None:
    """Every line is known to systemd, every value is one, and the program is found."""
    directory = tmp_path / "units"
    instance = INSTANCES[name]._replace(user="root")  # one that there is
    write(directory, render_all(instance, python))
    units = [service(directory, instance), *directory.glob("*.timer")]

    done = analyze("verify", "--man=no", *units)

    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_check_of_units_would_see_a_wrong_line(tmp_path: Path, python: str) -> None:
    """Unknown settings, wrong values, and a program that is not there are complained of."""
    instance = INSTANCES["daemon"]
    texts = render_all(instance, python)
    for text, wrong in (
        ("Restart=", "Restrat="),
        ("Nice=10", "Nice=x"),
        ("%%n", "%n"),
    ):
        directory = tmp_path / text.strip("%=")
        write(directory, {n: t.replace(text, wrong) for n, t in texts.items()})
        assert analyze("verify", "--man=no", service(directory, instance)).stderr


@pytest.mark.parametrize("name", INSTANCES)
def test_service_is_not_more_exposed_than_stated(
    tmp_path: Path, python: str, name: str
) -> None:
    """With homes and `/tmp` opened too, or homes and a port, it is at most 1.5."""
    instance = INSTANCES[name]
    write(tmp_path, render_all(instance, python))
    unit = service(tmp_path, instance)

    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout

    own = tmp_path / f"{unit.name}.d" / "90-own.conf"
    write(tmp_path, {str(own): "[Service]\nPrivateNetwork=no\nProtectSystem=no\n"})
    weaker = analyze("security", "--offline=true", unit).stdout.splitlines()[-1]
    assert weaker != done.stdout.splitlines()[-1], "drop-ins do not count"


def test_reason_stands_beside_each_thing_left_open(tmp_path: Path, python: str) -> None:
    """What `systemd-analyze security` marks is named in a comment of the unit."""
    instance = INSTANCES["daemon"]
    write(tmp_path, render_all(instance, python))
    unit = service(tmp_path, instance)

    lines = analyze("security", "--offline=true", unit).stdout.splitlines()
    open_ = {line.split()[1] for line in lines if line.startswith("✗")}
    known = {
        "RestrictAddressFamilies=~AF_UNIX": "# - AF_UNIX:",
        "RootDirectory=/RootImage=": "# - RootDirectory:",
        "ProtectHome=": "# - ProtectHome:",
        "DeviceAllow=": "# - DeviceAllow:",
    }

    assert open_
    for marked in open_:
        reason = known.get(marked, f"# - {marked.removesuffix('=')}:")
        assert reason in unit.read_text()
