"""The hooks, run as CI systems run them, with the store in all its moods."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cachetree import few, make_cache, plan
from tests.support.hooked import SHELLS, STATES, Hooked
from tests.support.soundness import catalog

IN_TIME_S = 12.0
"""For what hangs and has two seconds, on a machine that is busy."""

PULLED = {
    "healthy": "wheelferry: pulled 2 of 2 entries, ",
    "frozen": "wheelferry: warning: pull gave up, the job can go on: the deadline came",
    "missing": "wheelferry: warning: pull gave up, the job can go on: no wheelferry.json",
    "corrupt": "wheelferry: warning: ",
    "no-wheelferry": "wheelferry: there is no ",
}
PROMOTED = {
    "healthy": "wheelferry: promoted 1 of 1 entry, ",
    "frozen": "wheelferry: warning: promote gave up, the job can go on: the deadline",
    "missing": "wheelferry: warning: promote gave up, the job can go on: no wheelferry",
    "corrupt": "wheelferry: promoted 1 of 1 entry, ",
    "no-wheelferry": "wheelferry: there is no ",
}

shells = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)


@pytest.mark.parametrize("state", STATES)
def test_github_job_goes_on(tmp_path: Path, state: str) -> None:
    """Both hooks of GitHub's runner, as it runs them: `bash -e FILE`, from its `.env`.

    A hook that fails would fail the job, and there is no timeout.  In front of a checkout
    there is a directory for one, and no project.
    """
    machine = Hooked(tmp_path, state)
    runner = tmp_path / "actions-runner"
    runner.mkdir()
    done = machine.install("github", "--into", str(runner))
    assert done.returncode == 0, done.stdout
    hooks = dict(line.split("=") for line in (runner / ".env").read_text().splitlines())
    environ = {
        **hooks,
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(machine.project),
        "RUNNER_OS": "Linux",
    }
    for name, said in (("STARTED", PULLED), ("COMPLETED", PROMOTED)):
        path = Path(hooks[f"ACTIONS_RUNNER_HOOK_JOB_{name}"])
        machine.script(path.stem)
        if name == "COMPLETED":  # the job has built something
            make_cache(machine.cache, [plan("new")], first=10)
        begin_s = time.monotonic()
        done = machine.run(["bash", "-e", path], cwd=machine.project, **environ)
        if state == "frozen":
            assert time.monotonic() - begin_s < IN_TIME_S
        assert (done.returncode, done.stdout[: len(said[state])]) == (0, said[state])
        if state != "corrupt":
            assert len(done.stdout.splitlines()) == 1, done.stdout
    if state == "healthy":
        assert len(machine.restored) == 3
        assert len(catalog(machine.store)) == 3


@pytest.mark.parametrize("state", STATES)
def test_buildkite_job_goes_on(tmp_path: Path, state: str) -> None:
    """Its hooks are sourced by a wrapper, which looks at the environment afterwards.

    So none of them may end the shell.
    """
    machine = Hooked(tmp_path, state)
    directory = tmp_path / "hooks-path"
    directory.mkdir()
    assert machine.install("buildkite", "--into", str(directory)).returncode == 0
    for hook, script, said in (
        ("post-checkout", "pre-job", PULLED),
        ("pre-exit", "post-job", PROMOTED),
    ):
        machine.script(script)
        assert os.access(directory / hook, os.X_OK)
        if hook == "pre-exit":
            make_cache(machine.cache, [plan("new")], first=10)
        wrapper = f"""
            export -p | grep -v ' _=' >before
            . "{directory / hook}"
            echo "status $? in $PWD, still here"
            export -p | grep -v ' _=' >after
        """
        done = machine.run(
            ["bash", "-e", "-c", wrapper],
            cwd=machine.project,
            BUILDKITE_BUILD_CHECKOUT_PATH=str(machine.project),
        )
        first, *_, last = done.stdout.splitlines()
        assert first.startswith(said[state])
        assert last == f"status 0 in {machine.project}, still here"
        before, after = (machine.project / name for name in ("before", "after"))
        assert before.read_text() == after.read_text()
        assert done.returncode == 0


@shells
def test_script_runs_in_any_shell(tmp_path: Path, shell: tuple[str, ...]) -> None:
    """With the checkout as its argument, whatever characters its path has."""
    machine = Hooked(tmp_path)
    machine.install("generic")
    script = machine.script("pre-job")

    done = machine.run([*shell, script, machine.project])

    assert done.stdout.startswith(PULLED["healthy"])
    assert (done.returncode, len(machine.restored)) == (0, 2)


def test_script_tells_the_project(tmp_path: Path) -> None:
    """The directory of the checkout is passed on as one word, and only if there is one."""
    machine = Hooked(tmp_path)
    machine.install("generic")
    script = machine.script("pre-job")
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')

    with_project = machine.run([script, machine.project]).stdout
    without = machine.run([script]).stdout

    words = f"<-I><-m><wheelferry><pull><--config><{machine.config}><--deadline><20s>"
    assert with_project == f"wheelferry: {words}<--project><{machine.project}>"
    assert without == f"wheelferry: {words}"


def test_environment_of_a_job_changes_nothing(tmp_path: Path) -> None:
    """Not which program runs, nor with which settings: but the cache is the job's."""
    machine = Hooked(tmp_path)
    machine.install("generic")
    script = machine.script("pre-job")
    (tmp_path / "python").write_text("#!/bin/sh\nenv\n")
    trap = tmp_path / "bin"
    trap.mkdir()
    for name in ("env", "timeout", "python", "wheelferry"):
        (trap / name).write_text("#!/bin/sh\necho trapped\n")
        (trap / name).chmod(0o755)

    done = machine.run(
        [script],
        PATH=f"{trap}:{os.environ['PATH']}",
        PYTHONPATH=str(trap),
        PYTHONHOME=str(trap),
        LD_LIBRARY_PATH=str(trap),
        VIRTUAL_ENV=str(trap),
        WHEELFERRY_STORE_PATH=str(trap),
        WHEELFERRY_CONFIG=str(trap),
        XDG_CONFIG_HOME=str(trap),
        WHEELFERRY_DISABLE="1",
        UV_CACHE_DIR=str(machine.cache),
        UV_INDEX_URL="http://example.invalid",
    )

    assert "trapped" not in done.stdout
    found = dict(
        line.split("=", 1)
        for line in done.stdout.removeprefix("wheelferry: ").splitlines()
    )
    assert {name for name in found if name not in ("PWD", "_", "SHLVL", "OLDPWD")} == {
        "PATH",
        "HOME",
        "LANG",
        "UV_CACHE_DIR",
        "XDG_CACHE_HOME",
        "WHEELFERRY_DISABLE",
    }
    assert found["PATH"].startswith("/usr/local/sbin:")


def test_what_hangs_is_ended(tmp_path: Path) -> None:
    """Where there is a timeout(1), also what does not end itself."""
    machine = Hooked(tmp_path)
    machine.install("generic")
    script = machine.script("pre-job")
    script.write_text(script.read_text().replace("deadline_s + 15", "1"))
    (tmp_path / "python").write_text("#!/bin/sh\nexec sleep 600\n")

    done = machine.run(["bash", "-e", script])

    assert (done.returncode, done.stdout) == (
        0,
        "wheelferry: the pull was ended (137); the job goes on\n",
    )


@pytest.mark.parametrize("name", ["pre-job", "post-job"])
@pytest.mark.parametrize("code", [1, 2, 127])
def test_script_ends_well_whatever_the_program_does(
    tmp_path: Path, name: str, code: int
) -> None:
    """A program that fails, as one that is half removed does, is told of, and no more."""
    machine = Hooked(tmp_path)
    machine.install("generic")
    script = machine.script(name)
    (tmp_path / "python").write_text(f"#!/bin/sh\necho broken >&2\nexit {code}\n")

    for shell in SHELLS.values():
        done = machine.run([*shell, script])
        assert done.returncode == 0
        first, second = done.stdout.splitlines()
        assert first == "wheelferry: broken"
        assert f"was ended ({code}); the" in second


@shells
@pytest.mark.parametrize("name", ["pre-job", "post-job"])
def test_script_that_nobody_can_read_ends_well(
    tmp_path: Path, name: str, shell: tuple[str, ...]
) -> None:
    """With its output closed, or on a full disk, it cannot say anything: no matter."""
    machine = Hooked(tmp_path)
    machine.install("generic")
    script = machine.script(name)

    for output in (">&-", ">/dev/full"):
        line = f'"$@" {output} 2>/dev/null'
        assert machine.run(["sh", "-c", line, "sh", *shell, script]).returncode == 0


def test_damaged_pack_is_no_more_than_a_miss(tmp_path: Path) -> None:
    """Nothing of a corrupt store reaches the cache; the lines say what is damaged."""
    machine = Hooked(tmp_path, "corrupt")
    machine.install("generic")

    done = machine.run([machine.script("pre-job")])

    assert (done.returncode, machine.restored) == (0, [])
    assert done.stdout.splitlines()[-1].startswith("pulled 0 of 2 entries")


def test_what_was_promoted_at_once_is_pulled_by_another(tmp_path: Path) -> None:
    """An ephemeral runner's hook after the job is enough for the next one's before it."""
    machine = Hooked(tmp_path)
    machine.install("generic")
    pre, post = machine.script("pre-job"), machine.script("post-job")
    make_cache(machine.cache, [*few(), plan("built")], first=10)

    assert machine.run([post]).stdout.startswith("wheelferry: promoted 1 of 1 entry")
    shutil.rmtree(machine.cache)
    shutil.rmtree(tmp_path / "uv.wheelferry")
    assert machine.run([pre]).stdout.startswith("wheelferry: pulled 3 of 3 entries")


def test_scripts_are_clean(tmp_path: Path) -> None:
    """shellcheck finds nothing in them, nor in the hooks of Buildkite."""
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert shellcheck, "it comes with the test tools: pip install -e '.[test]'"
    machine = Hooked(tmp_path)
    (tmp_path / "into").mkdir()
    machine.install("buildkite", "--into", str(tmp_path / "into"))
    scripts = [*machine.scripts.iterdir(), *(tmp_path / "into").iterdir()]

    done = subprocess.run(
        [shellcheck, "--shell=sh", *scripts],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(scripts) == 4
    assert (done.returncode, done.stdout) == (0, "")
