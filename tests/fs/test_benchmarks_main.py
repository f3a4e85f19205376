"""`python -m benchmarks`: what becomes of the other parts when one fails, or is ended."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import benchmarks.__main__ as benchmarks
from benchmarks.measure import Part, Report
from tests.support.daemons import eventually

_GIVE_UP_S = 30.0

_PART = """\
#!{python}
import time
print("## took its time", flush=True)
try:
    open({began!r}, "x").close()
    time.sleep({give_up_s})
except KeyboardInterrupt:
    print("what is complete")
"""
_MAIN = """\
import sys
from benchmarks.__main__ import main
sys.executable = {part!r}
sys.argv = ["benchmarks", "startup", "pull"]
main()
"""


def test_part_that_fails_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours of others are not lost by it; the end says which, and its table stays."""
    document = tmp_path / "document.md"
    document.write_text(_marked(startup="old", pull="old"))
    _replace_parts(monkeypatch, {"startup": ("half", 1), "pull": ("new", 0)})
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", "startup", "pull", f"--markdown={document}"]
    )

    with pytest.raises(SystemExit, match="failed: startup; the others are complete"):
        benchmarks.main()

    assert document.read_text() == _marked(startup="old", pull="new")
    printed = capsys.readouterr().out
    assert "half" in printed
    assert "new" in printed


def test_document_without_a_place_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when a part of hours has ended; neither does that end the others."""
    _replace_parts(monkeypatch, {})
    document = tmp_path / "document.md"
    argv = ["benchmarks", "startup", "pull", f"--markdown={document}"]
    monkeypatch.setattr(sys, "argv", argv)

    with pytest.raises(SystemExit, match=r"No such file.*document\.md"):
        benchmarks.main()
    document.write_text(_marked(startup="old"))
    with pytest.raises(SystemExit, match="no lines <!-- begin pull -->"):
        benchmarks.main()


def test_samples_have_a_folder_before_they_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made, if need be; it is no reason to lose them at the end."""
    path = tmp_path / "not/there/run.json"

    def run(_args: argparse.Namespace) -> Report:
        assert path.parent.is_dir()
        return Report(text="", results={"samples": []})

    monkeypatch.setattr(sys, "argv", ["part", f"--json={path}"])

    Part(name="part", summary="", add_options=lambda _: None, run=run).main()

    assert path.exists()


def test_interrupted_part_says_what_is_complete(tmp_path: Path) -> None:
    """It is interrupted by the same keys, and waited for; no other begins."""
    part, began = tmp_path / "part", tmp_path / "began"
    part.write_text(
        _PART.format(python=sys.executable, began=str(began), give_up_s=_GIVE_UP_S)
    )
    part.chmod(0o755)
    main = subprocess.Popen(
        [sys.executable, "-c", _MAIN.format(part=str(part))],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with main:
        eventually(began.exists)
        os.killpg(main.pid, signal.SIGINT)
        printed, _ = main.communicate(timeout=_GIVE_UP_S)

    assert printed.count("took its time") == 1
    assert "what is complete" in printed
    assert main.returncode == 128 + signal.SIGINT


def test_packages_that_are_not_installed_are_named() -> None:
    """`--help` after a mere `make demo` says what to type, and shows no traceback."""
    code = "import sys; sys.modules['pytest'] = None; sys.argv[1:] = ['--help'];"
    code += "from benchmarks.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("benchmarks: pytest is not installed for ")
    assert "`make .venv/.bench`" in done.stderr


def _marked(**tables: str) -> str:
    return "".join(
        f"<!-- begin {name} -->\n{text}<!-- end {name} -->\n"
        for name, text in tables.items()
    )


def _replace_parts(
    monkeypatch: pytest.MonkeyPatch, parts: Mapping[str, tuple[str, int]]
) -> None:
    def run(
        name: str, _arguments: Sequence[str], _json: Path | None
    ) -> tuple[str, int]:
        return parts[name]

    monkeypatch.setattr(benchmarks, "run_alone", run)
