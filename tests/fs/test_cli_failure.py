"""What becomes of an exception in a command."""

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from wheelferry.cli.command import DRY_RUN, command
from wheelferry.cli.failure import run_guarded
from wheelferry.cli.output import Form
from wheelferry.cli.session import Process, Session
from wheelferry.errors import ConfigError, StoreUnavailable

CompletedRun = tuple[int, str, str]
Run = Callable[..., CompletedRun]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line on a group whose commands fail with what they are given."""
    import sys

    state = tmp_path / "cache.wheelferry"
    state.mkdir()
    environ = {"HOME": str(tmp_path), "WHEELFERRY_CACHE_STATE": str(state)}

    def run(
        *argv: str, fails: BaseException | None = None, code: int = 0
    ) -> CompletedRun:
        def body(session: Session, *, is_dry_run: bool) -> int:
            """Do something."""
            del is_dry_run
            if fails is not None:
                raise fails
            session.output.summary("did it", {"done": 1})
            return code

        made = [
            command(
                name,
                example=name,
                settings=("uv.versions",),
                params=(DRY_RUN,),
                form=form,
                is_fail_open=soft,
            )
            for name, form, soft in (
                ("hard", Form.DOCUMENT, False),
                ("soft", Form.LINES, True),
            )
        ]
        group = click.Group(commands=[make(body) for make in made])
        process = Process(
            environ=environ,
            system_file=str(tmp_path / "system.toml"),
            stdout=sys.stdout,
            stderr=sys.stderr,
        )
        exit_code = run_guarded(argv, process, group=group)
        return exit_code, *capsys.readouterr()

    return run


def away() -> StoreUnavailable:
    """Return an error with a cause and a hint."""
    error = StoreUnavailable("cannot list /mnt", hint="check the mount")
    error.__cause__ = OSError(116, "Stale file handle")
    return error


def test_success_has_the_command_s_code(run: Run) -> None:
    """What the command returns is the exit code."""
    assert run("hard") == (0, "did it\n", "")
    assert run("soft", "--strict", code=3) == (3, "did it\n", "")


def test_error_is_shown_with_its_code(run: Run) -> None:
    """An error is one block on stderr, without a traceback, and has its own code."""
    code, out, err = run("hard", fails=away())
    assert (code, out) == (25, "")
    assert err == (
        "error[store-unavailable]: cannot list /mnt\n"
        "  cause: [Errno 116] Stale file handle\n"
        "  hint: check the mount\n"
    )


def test_verbose_shows_the_traceback(run: Run) -> None:
    """With `-v` the block comes after the traceback."""
    _, _, err = run("hard", "-v", fails=away())
    assert "Traceback (most recent call last):\n" in err.split("\nerror[store-")[0]


@pytest.mark.parametrize("error", [away(), ConfigError("x"), RuntimeError("y")])
def test_fail_open_warns_once_and_succeeds(run: Run, error: Exception) -> None:
    """A command before a job gives up with one line and 0, whatever went wrong."""
    code, out, err = run("soft", fails=error)
    assert (code, out) == (0, "")
    (line,) = err.splitlines()
    assert line.startswith("warning: soft gave up, the job can go on: ")


def test_fail_open_says_why(run: Run) -> None:
    """The one line has the message, the cause and the hint."""
    _, _, err = run("soft", fails=away())
    assert err == (
        "warning: soft gave up, the job can go on: cannot list /mnt"
        " ([Errno 116] Stale file handle); check the mount\n"
    )


def test_fail_open_says_the_cause_once(run: Run) -> None:
    """A message that has the operating system's words is not followed by them."""
    error = StoreUnavailable("cannot write: [Errno 28] No space left on device")
    error.__cause__ = OSError(28, "No space left on device", "/mnt/x")
    _, _, err = run("soft", fails=error)
    assert err.count("No space left") == 1


@pytest.mark.parametrize(
    ("error", "code"), [(away(), 25), (ConfigError("x"), 2), (RuntimeError("y"), 70)]
)
def test_strict_fails(run: Run, error: Exception, code: int) -> None:
    """With `--strict` the error has its code."""
    assert run("soft", "--strict", fails=error)[0] == code


def test_fail_open_ends_json_lines_with_a_summary(run: Run) -> None:
    """Whoever reads JSON lines gets a last one, which tells that it failed."""
    code, out, err = run("soft", "--json", fails=away())
    warning, summary = map(json.loads, out.splitlines())
    assert (code, err) == (0, "")
    assert (warning["type"], warning["level"]) == ("soft.failed", "warning")
    assert summary == {
        "schema": "wheelferry/soft/1",
        "type": "summary",
        "error": "store-unavailable",
        "message": "cannot list /mnt",
    }


def test_dry_run_is_one_document(run: Run) -> None:
    """The plan of a command that writes JSON lines is one document of its own schema."""
    _, out, _ = run("soft", "--json", "--dry-run")
    assert json.loads(out)["schema"] == "wheelferry/soft-plan/1"


def test_usage_error_is_never_open(run: Run) -> None:
    """A command line that is wrong is so every time: 2, as for any command."""
    code, out, err = run("soft", "--drt-run")
    assert (code, out) == (2, "")
    assert err.startswith("error[usage]: No such option")
    assert err.endswith("hint: see `wheelferry soft --help`\n")


def test_plan_fails_open_under_the_command_s_name(run: Run) -> None:
    """A dry run that gives up is called as it was typed."""
    code, _, err = run("soft", "--dry-run", fails=away())
    assert code == 0
    assert err.startswith("warning: soft gave up")
    _, _, err = run("soft", "--dry-run", "--json", fails=away())
    assert json.loads(err)["type"] == "soft.failed"


def test_wrong_value_of_a_flag_is_never_open(run: Run) -> None:
    """A value that is none is wrong usage, as an unknown flag is: 2 in any case."""
    code, _, err = run("soft", "--uv-version", "banana")
    assert code == 2
    assert err.startswith("error[usage]: --uv-version is 'banana', but must be")


def test_named_file_that_is_gone_fails_open(run: Run) -> None:
    """What a flag names is not the command line: it may be back for the next job."""
    assert run("soft", "--config", "/nonexistent.toml")[0] == 0
    assert run("soft", "--config", "/nonexistent.toml", "--strict")[0] == 2


def test_usage_error_can_be_json(run: Run) -> None:
    """A command line that is not understood may still ask for JSON."""
    code, _, err = run("nonsense", "--json")
    error = json.loads(err)
    assert (code, error["type"], error["reference"]) == (2, "error", "usage")


def test_no_command_shows_help(run: Run) -> None:
    """Without a command there is help, as text, and the code of wrong usage."""
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: wheelferry ")


@pytest.mark.parametrize("name", ["hard", "soft"])
def test_interruption_has_its_code(run: Run, name: str) -> None:
    """Ctrl-C is 130, also for a command that fails open."""
    code, _, err = run(name, fails=KeyboardInterrupt())
    assert code == 130
    assert err == "error[interrupted]: interrupted; whatever was complete stays\n"


def test_unexpected_error_leaves_a_report(run: Run, tmp_path: Path) -> None:
    """A fault of our own is 70, and names a report that has all but the secrets."""
    url = "https://user:secret@example.com/simple?token=secret"
    code, _, err = run("hard", "--config", "/dev/null", fails=ValueError(url))
    (report,) = (tmp_path / "cache.wheelferry").iterdir()
    assert code == 70
    assert err == (
        "error[unexpected]: unexpected ValueError:"
        " https://***@example.com/simple?***\n"
        f"  hint: this is a fault of wheelferry; a report is in {report}\n"
    )
    text = report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
    assert "secret" not in text
    assert "Traceback (most recent call last):" in text
    assert "command: `wheelferry hard --config /dev/null`" in text
    assert "variables set: WHEELFERRY_CACHE_STATE" in text


def test_report_finds_another_place(run: Run, tmp_path: Path) -> None:
    """Without a state directory the report goes where temporary files go."""
    (tmp_path / "cache.wheelferry").rmdir()
    code, _, err = run("hard", fails=ValueError("x"))
    path = Path(err.rsplit(" ", 1)[1].strip())
    assert code == 70
    assert path.is_file()
    path.unlink()
