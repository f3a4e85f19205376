"""The program as a process: what a shell, a hook or a pipe sees of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.forge import replace_records
from tests.support.records import make_record
from wheelferry import __version__
from wheelferry.cli import wiring
from wheelferry.disk import Disk

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the program with an empty home."""

    def run(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "wheelferry", *argv],
            env={**os.environ, "HOME": str(tmp_path), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_version_is_printed(run: Run) -> None:
    """`--version` prints name and version."""
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"wheelferry {__version__}\n")


def test_switched_off_does_nothing(run: Run, tmp_path: Path) -> None:
    """WHEELFERRY_DISABLE makes every command succeed with one line, reading nothing."""
    broken = tmp_path / "broken.toml"
    broken.write_text("[")
    argv = ("pull", "--strict", "--config", str(broken))
    done = run(*argv, WHEELFERRY_DISABLE="1")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "nothing done: WHEELFERRY_DISABLE is set\n"


@pytest.mark.parametrize(
    "argv", [("--version",), ("--help",), ("pull", "--help"), ("config", "show")]
)
def test_switched_off_still_explains(run: Run, argv: tuple[str, ...]) -> None:
    """Version, help and the configuration are shown all the same."""
    done = run(*argv, WHEELFERRY_DISABLE="1")
    assert done.returncode == 0
    assert done.stdout
    assert not done.stderr


def test_store_is_made_and_found_sound(run: Run, tmp_path: Path) -> None:
    """`init` makes a store and says what to configure; `verify` finds it clean."""
    store = tmp_path / "store"
    made = run("init", str(store), "--json")
    again = run("init", str(store))
    document = json.loads(made.stdout)
    assert (made.returncode, again.returncode) == (0, 0)
    assert (document["schema"], document["was_there"]) == ("wheelferry/init/1", False)
    assert f"there is a store already in {store}" in again.stdout
    assert f'id = "{document["id"]}"' in again.stdout

    verified = run("verify", "--store", str(store), "--json")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert json.loads(verified.stdout)["clean"] is True


def test_verify_fails_without_a_store(run: Run, tmp_path: Path) -> None:
    """A share that is away is an error with its code, and nothing is made there."""
    done = run("verify", "--store", str(tmp_path / "away"))
    assert (done.returncode, done.stdout) == (21, "")
    assert done.stderr.startswith("error[store-not-initialised]: ")
    assert not (tmp_path / "away").exists()


@pytest.mark.parametrize("command", ["pull", "promote"])
def test_job_goes_on_without_a_store(run: Run, tmp_path: Path, command: str) -> None:
    """A share that is away costs a job one warning; `--strict` makes it an error."""
    argv = (command, "--store", str(tmp_path / "away"), "--cache", str(tmp_path / "c"))
    open_, strict = run(*argv), run(*argv, "--strict")
    assert (open_.returncode, open_.stdout) == (0, "")
    assert len(open_.stderr.splitlines()) == 1
    assert open_.stderr.startswith(f"warning: {command} gave up, the job can go on: ")
    assert strict.returncode == 21


@pytest.mark.parametrize("command", ["pull", "promote"])
def test_job_goes_on_with_a_broken_configuration(
    run: Run, tmp_path: Path, command: str
) -> None:
    """A broken file on a fleet of runners breaks no job."""
    user = tmp_path / ".config" / "wheelferry"
    user.mkdir(parents=True)
    (user / "config.toml").write_text("[store]\npaht = '/x'\n")
    xdg = str(tmp_path / ".config")
    done = run(command, XDG_CONFIG_HOME=xdg)
    assert done.returncode == 0
    assert "did you mean store.path?" in done.stderr
    assert run(command, "--strict", XDG_CONFIG_HOME=xdg).returncode == 2


def test_pull_from_an_empty_store_has_nothing_to_do(run: Run, tmp_path: Path) -> None:
    """With nothing to do there is one line of text, or one summary."""
    store, cache = str(tmp_path / "store"), str(tmp_path / "cache")
    run("init", store)
    argv = ("pull", "--strict", "--store", store, "--cache", cache)
    text, lines = run(*argv), run(*argv, "--json")
    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.startswith("nothing to pull: ")
    (summary,) = map(json.loads, lines.stdout.splitlines())
    assert (summary["type"], summary["planned"]) == ("summary", 0)


@pytest.mark.parametrize("module", ["mmap", "sqlite3"])
def test_job_goes_on_with_a_broken_installation(
    run: Run, tmp_path: Path, module: str
) -> None:
    """A command that cannot be imported, or not all of it, is a warning, with a report."""
    argv = ["pull", "--store", str(tmp_path / "store"), "--cache", str(tmp_path / "c")]
    run("init", str(tmp_path / "store"))
    (tmp_path / f"{module}.py").write_text("raise ImportError('not built in')")
    environ = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    temporary = str(tmp_path)
    done = run(*argv, TMPDIR=temporary, **environ)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, "")
    assert "unexpected ImportError: not built in" in line
    assert f"a report is in {tmp_path}/wheelferry-crash-" in line
    assert run(*argv, "--strict", TMPDIR=temporary, **environ).returncode == 70


def test_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """`wheelferry config show | true` is no error."""
    read, write = os.pipe()
    os.close(read)
    child = subprocess.run(
        [sys.executable, "-m", "wheelferry", "config", "show"],
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (child.returncode, child.stderr) == (0, b"")


def test_completion_script_is_printed(run: Run) -> None:
    """click's completion works with the commands, which are loaded late."""
    script = run(_WHEELFERRY_COMPLETE="bash_source")
    assert "_wheelferry_completion" in script.stdout
    words = run(
        _WHEELFERRY_COMPLETE="bash_complete",
        COMP_WORDS="wheelferry ver",
        COMP_CWORD="1",
    )
    assert words.stdout == "plain,verify\n"


def test_interruption_is_130(tmp_path: Path) -> None:
    """A process that gets SIGINT while it works exits with 130 and says so."""
    code = (
        "import os, signal, time\n"
        "from wheelferry.cli import failure\n"
        "def interrupted(*_):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    while True:\n"  # until it comes, which may be a moment later
        "        time.sleep(0.01)\n"
        "failure.run_command = interrupted\n"
        "from wheelferry.cli.app import main\n"
        "main()\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 130
    assert child.stderr.startswith("error[interrupted]")


def test_journal_stream_is_recognised(tmp_path: Path) -> None:
    """Lines get priorities when, and only when, stderr is the journal's stream."""
    log = tmp_path / "journal"
    outcomes = []
    for shift in (0, 1):
        with log.open("w") as stream:
            status = os.fstat(stream.fileno())
            named = f"{status.st_dev}:{status.st_ino + shift}"
            subprocess.run(
                [sys.executable, "-m", "wheelferry", "nonsense"],
                env={**os.environ, "HOME": str(tmp_path), "JOURNAL_STREAM": named},
                stderr=stream,
                timeout=60,
                check=False,
            )
        outcomes.append(log.read_text().startswith("<3>error[usage]"))
    assert outcomes == [True, False]


HOOKS = ["pull", "promote"]


@pytest.mark.parametrize("command", HOOKS)
@pytest.mark.parametrize(
    "redirection", ["2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full"]
)
def test_job_goes_on_though_nobody_can_be_told(
    tmp_path: Path, command: str, redirection: str
) -> None:
    """Closed streams, and a full disk under a log, make no hook fail."""
    program = f"{sys.executable} -m wheelferry {command} --store {tmp_path}/away"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{program} {redirection}"],
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "WHEELFERRY_TYPO": "x",
        },
        timeout=60,
        check=False,
    )
    assert done.returncode == 0


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_switched_off_needs_no_stderr(tmp_path: Path, redirection: str) -> None:
    """Nothing to do is done, though the line that says so goes nowhere."""
    program = f"{sys.executable} -m wheelferry status {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        env={**os.environ, "HOME": str(tmp_path), "WHEELFERRY_DISABLE": "1"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0


def test_strict_pull_tells_of_what_is_wrong_with_the_catalog(
    run: Run, tmp_path: Path
) -> None:
    """A segment that cannot be read, and an entry that is ambiguous, are 3, and are told."""
    store = tmp_path / "store"
    argv = ["pull", "--uv-version", "0.11.8", "--store", str(store)]
    argv += ["--cache", str(tmp_path / "c")]
    run("init", str(store))
    assert run(*argv, "--strict").returncode == 0

    (store / "catalog" / f"{'0' * 64}.seg").write_bytes(b"damaged")
    done = run(*argv, "--strict")
    assert (done.returncode, "nothing to pull: 1 segment" in done.stdout) == (3, True)
    assert run(*argv).returncode == 0

    same = {"format_id": "wheels-v6/map", "shard": "pypi/six"}
    records = [
        make_record("six", "1.0", hashes=(f"sha256:{digit * 64}",), **same)
        for digit in "ab"
    ]
    replace_records(store, records)
    done = run(*argv, "--strict")
    assert done.returncode == 3
    assert done.stderr.startswith("warning: left: six 1.0")
    done = run(*argv, "--json")
    *_, event, summary = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, event["type"]) == (0, "entry.left")
    assert [entry["fault"] for entry in summary["left"]] == [True]


def test_data_that_is_lost_is_an_error(tmp_path: Path) -> None:
    """A document that a full disk did not take is no success, but for a hook."""
    program = f"{sys.executable} -m wheelferry config show --json >/dev/full"
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        env={**os.environ, "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert done.returncode == 74
    assert done.stderr.startswith(b'{"schema": "wheelferry/error/1"')


@pytest.mark.parametrize(
    ("argv", "code"), [(["pull"], 0), (["pull", "--strict"], 1), (["status"], 1)]
)
def test_job_goes_on_when_even_errors_cannot_be_shown(
    tmp_path: Path, argv: list[str], code: int
) -> None:
    """Without memory for a message, say, a hook still does not fail."""
    script = (
        "import sys\n"
        "from wheelferry.cli import app\n"
        "sys.modules['wheelferry.cli.output'] = None\n"
        "sys.argv[0] = 'wheelferry'\n"
        "app.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *argv],
        env={**os.environ, "HOME": str(tmp_path)},
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.returncode == code


def test_environment_of_a_job_does_not_reach_an_isolated_interpreter(
    tmp_path: Path,
) -> None:
    """The hook as it is documented, `python -I -m`, starts whatever a job has set."""
    (tmp_path / "click.py").write_text("raise SystemExit(9)")
    evil = {"PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "x", "PYTHONHOME": "/x"}
    done = subprocess.run(
        [sys.executable, "-I", "-m", "wheelferry", "--version"],
        env={**os.environ, **evil},
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_general_flags_may_come_first(run: Run) -> None:
    """`wheelferry --json config show` is `wheelferry config show --json`."""
    before, after = run("--json", "config", "show"), run("config", "show", "--json")
    assert before.returncode == 0
    assert json.loads(before.stdout) == json.loads(after.stdout)
    quiet = run("-q", "pull", "--store", "/nonexistent", "-q")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    both = run("--config", "/nonexistent.toml", "config", "show")
    assert (both.returncode, "no configuration file" in both.stderr) == (2, True)


@pytest.mark.parametrize("command", ["promote", "status"])
def test_cache_must_be_there(run: Run, tmp_path: Path, command: str) -> None:
    """A cache that does not exist is no empty one: its path is wrong."""
    store, cache = tmp_path / "store", tmp_path / "c"
    run("init", str(store))
    argv = (command, "--store", str(store), "--cache", str(cache))
    done = run(*argv)
    if command == "promote":
        assert done.returncode == 0
        assert f"there is no uv cache in {cache}" in done.stderr
        done = run(*argv, "--strict")
    assert done.returncode == 11
    cache.write_text("")
    strict = ["--strict"] if command == "promote" else []
    assert run(*argv, *strict).returncode == 10
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["c", "store"]


@pytest.mark.parametrize("argv", [("pull", "--dry-run"), ("status",)])
def test_looking_leaves_no_trace(
    run: Run, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    """A plan and a status make no state directory, and leave nothing in /tmp."""
    store, cache, temporary = (tmp_path / name for name in ("store", "c", "tmp"))
    run("init", str(store))
    temporary.mkdir()
    cache.mkdir()
    flags = ("--store", str(store), "--cache", str(cache))
    done = run(*argv, *flags, TMPDIR=str(temporary))
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["c", "store", "tmp"]
    assert not list(temporary.iterdir())
    assert run("pull", "--strict", *flags).returncode == 0
    assert (tmp_path / "c.wheelferry").is_dir()


def test_looking_is_for_everybody(tmp_path: Path) -> None:
    """A status by one who may not write the runner's view makes one for that time."""
    state, me = tmp_path / "c.wheelferry", os.geteuid()
    state.mkdir()
    assert borrow(state) == state
    state.chmod(0o555)
    if me == 0:
        os.seteuid(65534)
    try:
        other = borrow(state)
    finally:
        os.seteuid(me)
    assert other != state
    assert not other.exists()


def borrow(state: Path) -> Path:
    """Return where a command that only looks has its state, for a while."""
    with wiring.borrow_state(state, Disk()) as found:
        assert found.is_dir()
        return found


def test_init_without_a_directory_says_that_it_is_missing(run: Run) -> None:
    """It would be of little use there to be told of a configuration file."""
    done = run("init")
    assert done.returncode == 2
    assert done.stderr.startswith("error[usage]: DIRECTORY is missing")


def test_init_makes_no_store_where_one_is_away(run: Run, tmp_path: Path) -> None:
    """The empty mount point of a share whose store's id is configured stays empty."""
    store = tmp_path / "store"
    store.mkdir()
    config = {"WHEELFERRY_STORE_PATH": str(store), "WHEELFERRY_STORE_ID": "a" * 32}
    for argv in (("init",), ("init", str(store))):
        done = run(*argv, **config)
        assert done.returncode == 21
        assert "is the share mounted?" in done.stderr
        assert "take store.id out of WHEELFERRY_STORE_ID" in done.stderr
    assert not list(store.iterdir())
    assert run("init", str(tmp_path / "other"), **config).returncode == 0
    del config["WHEELFERRY_STORE_ID"]
    assert run("init", **config).returncode == 0
