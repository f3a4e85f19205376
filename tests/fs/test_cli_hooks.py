"""`wheelferry hooks`, run as the program, into directories of its own."""

import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from wheelferry.hooks.catalogue import Ci
from wheelferry.sealed.seal import Seal, read_seal

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run one of the commands."""
    config = tmp_path / "config.toml"
    config.write_text(
        "[pull]\ndeadline = '20s'\n[cache]\npath = '/srv/ci/uv'\n"
        "[daemon]\nsocket = '/run/wheelferry/ci/socket'\nprojects = ['/srv/ci/builds']\n"
    )

    def run(
        verb: str, *argv: str, **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        places = ["--config", str(config), "--scripts", str(tmp_path / "hooks")]
        return subprocess.run(
            [sys.executable, "-m", "wheelferry", "hooks", verb, *places, *argv],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def names(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


@pytest.mark.parametrize("ci", list(Ci))
def test_show_names_the_scripts(run: Run, tmp_path: Path, ci: Ci) -> None:
    """For each system there is something to paste or to install, with its place."""
    text = run("show", ci).stdout
    shown = json.loads(run("show", ci, "--json").stdout)

    assert f"{tmp_path}/hooks/pre-job.sh" in text
    assert f"{tmp_path}/hooks/post-job.sh" in text
    assert "@" not in text.replace("checkout@v4", "")
    for snippet in shown["snippets"]:
        assert f"# For {snippet['where']}:\n{snippet['text'].rstrip()}" in text
    assert [file["path"] for file in shown["files"]] == [
        f"{tmp_path}/hooks/pre-job.sh",
        f"{tmp_path}/hooks/post-job.sh",
    ]
    assert names(tmp_path) == ["config.toml"]


def test_gitlab_docker_has_cache_and_checkouts_on_one_volume(
    run: Run, tmp_path: Path
) -> None:
    """Two volumes would be two mounts, and nothing can be linked from one to another.

    The others cannot be written to: a job must not change what other jobs run and ask.
    """
    snippets = json.loads(run("show", "gitlab", "--json").stdout)["snippets"]
    (runner,) = tomllib.loads(snippets[1]["text"])["runners"]

    assert runner["builds_dir"] == "/srv/ci/builds"
    assert runner["environment"] == ["UV_CACHE_DIR=/srv/ci/uv"]
    assert runner["docker"]["volumes"] == [
        "/srv/ci:/srv/ci",
        f"{tmp_path}/hooks:{tmp_path}/hooks:ro",
        "/run/wheelferry/ci:/run/wheelferry/ci:ro",
    ]


@pytest.mark.parametrize(
    ("ci", "targets"),
    [
        ("github", [".env"]),
        ("buildkite", ["post-checkout", "pre-exit"]),
        ("generic", []),
        ("gitlab", []),
    ],
)
def test_install_and_uninstall(
    run: Run, tmp_path: Path, ci: str, targets: list[str]
) -> None:
    """Twice changes nothing; what is taken away leaves the scripts, which others call."""
    into = ["--into", str(tmp_path / "into")] if targets else []
    (tmp_path / "into").mkdir()
    scripts = ["hooks/post-job.sh", "hooks/pre-job.sh"]
    wanted = [*scripts, *(f"into/{target}" for target in targets)]

    planned = run("install", ci, *into, "--dry-run")
    assert (planned.returncode, "would be written" in planned.stdout) == (0, True)
    assert names(tmp_path) == ["config.toml"]
    first = json.loads(run("install", ci, *into, "--json").stdout)
    assert sorted(names(tmp_path)) == sorted(["config.toml", *wanted])
    assert {change["action"] for change in first["changes"]} == {"written"}
    second = json.loads(run("install", ci, *into, "--json").stdout)
    assert {change["action"] for change in second["changes"]} == {"unchanged"}
    for path in wanted:
        if not path.endswith(".env"):
            file = tmp_path / path
            assert read_seal(file.read_text()) is Seal.WHOLE
            assert stat.S_IMODE(file.stat().st_mode) == 0o755
    assert f"python='{sys.executable}'\n" in (tmp_path / scripts[1]).read_text()
    assert "deadline_s=20\n" in (tmp_path / scripts[1]).read_text()
    assert "deadline_s=60\n" in (tmp_path / scripts[0]).read_text()

    assert run("uninstall", ci, *into).returncode == 0
    left = [] if ci == "generic" else scripts
    env = ["into/.env"] if ci == "github" else []
    assert names(tmp_path) == sorted(["config.toml", *left, *env])
    again = run("uninstall", ci, *into)
    assert (again.returncode, again.stdout[:13]) == (0, "nothing to do")


def test_lines_of_others_in_env_stay(run: Run, tmp_path: Path) -> None:
    """So do its mode, and the order of its lines."""
    into = tmp_path / "runner"
    into.mkdir()
    env = into / ".env"
    env.write_text("LANG=C.UTF-8\nhttps_proxy=http://p:1")
    env.chmod(0o600)

    assert run("install", "github", "--into", str(into)).returncode == 0
    lines = env.read_text().splitlines()
    assert lines[:2] == ["LANG=C.UTF-8", "https_proxy=http://p:1"]
    assert lines[2:] == [
        f"ACTIONS_RUNNER_HOOK_JOB_STARTED={tmp_path}/hooks/pre-job.sh",
        f"ACTIONS_RUNNER_HOOK_JOB_COMPLETED={tmp_path}/hooks/post-job.sh",
    ]
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert run("uninstall", "github", "--into", str(into)).returncode == 0
    assert env.read_text() == "LANG=C.UTF-8\nhttps_proxy=http://p:1\n"


def test_hook_of_another_in_env_is_not_lost(run: Run, tmp_path: Path) -> None:
    """A runner has one hook of a kind: another's is replaced by `--force` alone."""
    into = tmp_path / "runner"
    into.mkdir()
    (into / ".env").write_text("ACTIONS_RUNNER_HOOK_JOB_STARTED=/opt/mine.sh\n")

    done = run("install", "github", "--into", str(into))

    assert done.returncode == 42
    assert done.stderr.startswith(
        f"error[hooks]: {into}/.env: not as `wheelferry hooks"
    )
    assert "call the scripts from a hook of your own" in done.stderr
    assert names(tmp_path) == ["config.toml", "runner/.env"]
    assert run("install", "github", "--into", str(into), "--force").returncode == 0
    assert "/opt/mine.sh" not in (into / ".env").read_text()


@pytest.mark.parametrize("path", ["hooks/pre-job.sh", "into/post-checkout"])
def test_edited_script_is_left_alone_unless_forced(
    run: Run, tmp_path: Path, path: str
) -> None:
    """What somebody has changed is lost by `--force` alone, and nothing else is written."""
    argv = ("buildkite", "--into", str(tmp_path / "into"))
    (tmp_path / "into").mkdir()
    run("install", *argv)
    file = tmp_path / path
    file.write_text(f"{file.read_text()}echo mine\n")

    assert run("install", *argv).returncode == 42
    assert file.read_text().endswith("echo mine\n")
    assert run("install", *argv, "--force").returncode == 0
    assert read_seal(file.read_text()) is Seal.WHOLE


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["install", "github"], 2, "it takes the directory of GitHub's runner"),
        (["install", "buildkite"], 2, "it takes the agent's hooks-path"),
        (["install", "github", "--into", "/dev/null"], 42, "no directory /dev/null"),
        (["uninstall", "github", "--into", "/dev/null"], 42, "no directory /dev/null"),
        (["install", "gitlab", "--into", "/x"], 2, "--into is not for gitlab"),
        (["install", "jenkin"], 2, "'jenkin' is not one of"),
        (["install", "generic", "--scripts", "/a b/c"], 42, "cannot be the directory"),
        (["show", "gitlab", "--scripts", "/it's"], 42, "cannot be the directory"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Run, argv: list[str], code: int, said: str
) -> None:
    """Wrong words are named, and so are paths that could not be written everywhere."""
    done = run(*argv)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_directory_of_a_runner_is_not_made(run: Run, tmp_path: Path) -> None:
    """A misspelt one would get an `.env` that no runner ever reads, and no error."""
    done = run("install", "github", "--into", str(tmp_path / "actoins-runner"))

    assert done.returncode == 42
    assert f"there is no directory {tmp_path}/actoins-runner" in done.stderr
    assert names(tmp_path) == ["config.toml"]


@pytest.mark.parametrize(
    ("ci", "left"),
    [
        ("gitlab", ["`hooks show gitlab`", "uninstall generic --scripts"]),
        ("github", ["Restart the runner", "`hooks show github`", "uninstall generic"]),
        ("buildkite", ["uninstall generic --scripts"]),
        ("generic", []),
    ],
)
def test_uninstall_says_what_it_leaves(
    run: Run, tmp_path: Path, ci: str, left: list[str]
) -> None:
    """Of GitLab there is no file to remove: what was pasted, and the scripts, are there."""
    into = ["--into", str(tmp_path)] if ci in ("github", "buildkite") else []
    run("install", ci, *into)

    done = run("uninstall", ci, *into)

    assert ("Next:" in done.stdout, done.returncode) == (bool(left), 0)
    assert [words for words in left if words not in done.stdout] == []
    assert ("hooks show buildkite" in done.stdout) is False


def test_missing_word_is_told_in_one_line(run: Run) -> None:
    """click lists the choices in lines of their own, whose ends would show as `\\n`."""
    done = run("show")

    assert (done.returncode, "Choose from: gitlab, github," in done.stderr) == (2, True)


def test_uv_is_looked_for_where_it_is(run: Run, tmp_path: Path) -> None:
    """A directory of PATH that has a uv now is one of the script's; no other is."""
    uv, other = tmp_path / "with uv", tmp_path / "other"
    for directory in (uv, other):
        directory.mkdir()
    (uv / "uv").write_text("#!/bin/sh\n")
    (uv / "uv").chmod(0o755)

    run("install", "generic", PATH=f"{other}:{uv}:/usr/bin")

    line = next(
        line
        for line in (tmp_path / "hooks" / "pre-job.sh").read_text().splitlines()
        if line.startswith("PATH=")
    )
    assert line.endswith(f":/sbin:/bin:{uv}'")
    assert str(other) not in line
