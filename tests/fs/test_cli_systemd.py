"""`wheelferry systemd`, run as the program, into a directory of its own."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wheelferry.errors import UnitsError
from wheelferry.sealed.seal import Seal, read_seal
from wheelferry.systemd.account import can_write, load_account

Run = Callable[..., subprocess.CompletedProcess[str]]

ME = pwd.getpwuid(os.getuid()).pw_name
UNITS = "etc/systemd/system"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where a cache is to be; what it is in exists."""
    path = tmp_path / "caches" / "uv"
    path.parent.mkdir()
    return path


@pytest.fixture
def config(tmp_path: Path, cache: Path) -> Path:
    """A configuration file with all that is needed."""
    path = tmp_path / "my config.toml"
    path.write_text(f"[store]\npath = '/mnt/wheels'\n[cache]\npath = '{cache}'\n")
    return path


@pytest.fixture
def run(tmp_path: Path, config: Path) -> Run:
    """Run one of the commands, with units in a directory of the test's."""

    def run(
        verb: str, *argv: str, user: str = ME, rooted: bool = True
    ) -> subprocess.CompletedProcess[str]:
        root = ["--root", str(tmp_path / "root")] if rooted else []
        argv = ("--user", user, "--config", str(config), *root, *argv)
        return subprocess.run(
            [sys.executable, "-m", "wheelferry", "systemd", verb, *argv],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def installed(tmp_path: Path) -> dict[str, str]:
    """Return the texts of all units, by path."""
    root = tmp_path / "root" / UNITS
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_text() for path in found}


def test_install_writes_unit_and_drop_in(
    run: Run, tmp_path: Path, cache: Path, config: Path
) -> None:
    """The unit runs this interpreter; the drop-in opens what the configuration names."""
    done = run("install")

    assert (done.returncode, done.stderr) == (0, "")
    unit, drop_in = installed(tmp_path).items()
    assert unit[0] == "wheelferry@.service"
    assert f'ExecStart=:"{sys.executable}" -I -m wheelferry daemon\n' in unit[1]
    assert drop_in[0] == f"wheelferry@{ME}.service.d/10-wheelferry.conf"
    lines = drop_in[1].splitlines()
    assert f'Environment="WHEELFERRY_CONFIG={config}"' in lines
    assert 'ReadWritePaths="-/mnt"' in lines
    assert f'ReadWritePaths="{cache.parent}"' in lines
    assert {read_seal(unit[1]), read_seal(drop_in[1])} == {Seal.WHOLE}
    assert not cache.exists()


def test_install_twice_changes_nothing(run: Run, tmp_path: Path) -> None:
    """The second install says that nothing changed, and is right."""
    first = run("install", "--json")
    texts = installed(tmp_path)
    second = run("install", "--json")

    actions = [
        [change["action"] for change in json.loads(done.stdout)["changes"]]
        for done in (first, second)
    ]
    assert actions == [["written", "written"], ["unchanged", "unchanged"]]
    assert installed(tmp_path) == texts


def test_dry_run_writes_nothing(run: Run, tmp_path: Path) -> None:
    """A plan names the files and makes none, not even their directory."""
    done = run("install", "--dry-run")

    assert done.returncode == 0
    assert f"wheelferry@{ME}.service.d/10-wheelferry.conf: would be written" in (
        done.stdout
    )
    assert not (tmp_path / "root").exists()


def test_print_shows_what_install_writes(
    run: Run, tmp_path: Path, config: Path
) -> None:
    """Each file, under its path in this system."""
    config.write_text(f"{config.read_text()}[daemon]\nmetrics_port = 19100\n")
    flags = ("--name", "second")
    assert run("install", *flags).returncode == 0
    printed = json.loads(run("print", *flags, "--json", rooted=False).stdout)
    text = run("print", *flags, rooted=False).stdout

    files = {file["path"]: file["text"] for file in printed["files"]}
    wanted = installed(tmp_path)
    assert files == {f"/{UNITS}/{path}": body for path, body in wanted.items()}
    assert len(files) == 3
    for path, body in files.items():
        assert f"# {path}\n{body.rstrip()}" in text


def test_print_without_a_user_needs_no_configuration() -> None:
    """What all instances share is printed for anybody."""
    done = subprocess.run(
        [sys.executable, "-m", "wheelferry", "systemd", "print", "--pull-timer"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert f"# /{UNITS}/wheelferry-pull@.timer\n" in done.stdout
    assert "service.d" not in done.stdout


def test_timer_and_daemon_are_installed_side_by_side(run: Run, tmp_path: Path) -> None:
    """Two instances of one user, one with a timer; each is uninstalled by its name."""
    run("install")
    run("install", "--pull-timer", "--name", "nightly")
    names = list(installed(tmp_path))

    assert names == [
        "wheelferry-pull@.service",
        "wheelferry-pull@.timer",
        "wheelferry-pull@nightly.service.d/10-wheelferry.conf",
        "wheelferry@.service",
        f"wheelferry@{ME}.service.d/10-wheelferry.conf",
    ]
    assert f"User={ME}\n" in installed(tmp_path)[names[2]]
    assert run("uninstall").returncode == 0
    assert list(installed(tmp_path)) == [*names[:3], names[3]]
    assert run("uninstall", "--name", "nightly").returncode == 0
    assert installed(tmp_path) == {}
    again = run("uninstall")
    assert (again.returncode, again.stdout.startswith("nothing to do")) == (0, True)


def test_edited_unit_is_left_alone_unless_forced(run: Run, tmp_path: Path) -> None:
    """What an administrator has changed is lost by `--force` alone."""
    run("install")
    unit = tmp_path / "root" / UNITS / "wheelferry@.service"
    unit.write_text(f"{unit.read_text()}Nice=1\n")

    for verb in ("install", "uninstall"):
        done = run(verb)
        assert done.returncode == 41
        assert done.stderr.startswith(f"error[units]: {unit}: not as ")
    assert unit.read_text().endswith("Nice=1\n")
    assert run("install", "--force").returncode == 0
    assert read_seal(unit.read_text()) is Seal.WHOLE
    unit.write_text("")
    assert run("uninstall", "--force").returncode == 0
    assert installed(tmp_path) == {}


def test_cache_in_a_place_that_is_missing_is_an_error(run: Run, cache: Path) -> None:
    """systemd cannot open a directory that does not exist: that is said before."""
    cache.parent.rmdir()

    done = run("install")

    assert done.returncode == 41
    assert done.stderr.startswith(f"error[units]: there is no directory {cache.parent}")


def test_socket_needs_its_directory(run: Run, tmp_path: Path, config: Path) -> None:
    """One that is missing is told before; then it can be written, and so can projects."""
    directory = tmp_path / "run"
    config.write_text(
        f"{config.read_text()}[daemon]\nsocket = '{directory}/socket'\n"
        "projects = ['/home/ci/builds']\n"
    )

    done = run("install")
    assert (done.returncode, f"no directory {directory}" in done.stderr) == (41, True)
    directory.mkdir()
    assert run("install").returncode == 0
    _, drop_in = installed(tmp_path).values()
    assert f'ReadWritePaths="{directory}"\n' in drop_in
    assert "'/home/ci/builds'" in drop_in
    assert "ProtectHome=read-only\n" in drop_in


def test_metrics_port_is_opened_while_it_is_configured(
    run: Run, tmp_path: Path, config: Path
) -> None:
    """By a drop-in of its own, for the daemon alone; the next install takes it away."""
    path = f"wheelferry@{ME}.service.d/20-metrics.conf"
    before = config.read_text()
    config.write_text(f"{before}[daemon]\nmetrics_port = 19100\n")

    assert run("install").returncode == 0
    assert "\nSocketBindAllow=ipv4:tcp:19100\n" in installed(tmp_path)[path]
    assert run("install", "--pull-timer", "--name", "nightly").returncode == 0
    assert [name for name in installed(tmp_path) if "metrics" in name] == [path]
    config.write_text(before)
    assert run("install").returncode == 0
    assert path not in installed(tmp_path)


def test_textfile_needs_a_directory_that_its_user_can_write(
    run: Run, tmp_path: Path, config: Path
) -> None:
    """That is told before; then it is opened, for the daemon alone."""
    directory = tmp_path / "text"
    config.write_text(
        f"{config.read_text()}[daemon]\ntextfile = '{directory}/wf.prom'\n"
    )

    done = run("install")
    assert (done.returncode, f"cannot write to {directory}" in done.stderr) == (
        41,
        True,
    )
    directory.mkdir()
    assert run("install").returncode == 0
    _, drop_in = installed(tmp_path).values()
    assert f'ReadWritePaths="{directory}"\n' in drop_in
    assert run("install", "--pull-timer", "--name", "nightly").returncode == 0
    texts = installed(tmp_path).items()
    assert [path for path, text in texts if str(directory) in text] == [
        f"wheelferry@{ME}.service.d/10-wheelferry.conf"
    ]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("[cache]\npath = '/data/ci/uv'\n", 2, "no store is configured for user"),
        ("[store]\npath = '/mnt/wheels'\n[cache]\npath = '/uv'\n", 41, "in common"),
        ("[store]\npaht = '/mnt/wheels'\n", 2, "did you mean store.path?"),
    ],
)
def test_configuration_that_cannot_work_is_an_error(
    run: Run, config: Path, text: str, code: int, said: str
) -> None:
    """What the service would fail for is told by `install`, and nothing is written."""
    config.write_text(text)

    done = run("install")

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert installed(config.parent) == {}


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--user", "nobody-at-all"], 41, "there is no user nobody-at-all"),
        (["--name", "a/b"], 41, "cannot be the name of an instance"),
        (["--now"], 2, "leave --root out"),
    ],
)
def test_install_refuses_what_makes_no_sense(
    run: Run, argv: list[str], code: int, said: str
) -> None:
    """Wrong flags and users that do not exist are named."""
    done = run("install", *argv)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_only_root_installs_for_another() -> None:
    """Nobody else can find out what another user's configuration is."""
    root, me = load_account("root"), os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(UnitsError, match="only root can find out"):
            can_write(root, sys.executable, "/")
    finally:
        os.seteuid(me)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act for another user")
def test_cache_of_another_user_is_an_error(run: Run, cache: Path) -> None:
    """A service whose user cannot write to the cache is not installed.

    Where that user cannot even run the interpreter, that is what is said.
    """
    cache.mkdir()

    done = run("install", user="nobody")

    assert done.returncode == 41
    what = f"the uv cache {cache} belongs to user root"
    assert what in done.stderr or "install wheelferry where every user" in done.stderr
