"""The guards of tests/conftest.py, each shown to bite in a pytest of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]

_INNER = """
import os, socket, subprocess, threading
from pathlib import Path

def test_thread():
    threading.Thread(target=threading.Event().wait, daemon=True).start()

def test_child():
    global child
    child = subprocess.Popen(["sleep", "60"])

def test_child_end():
    child.kill()
    child.wait()

def test_network():
    socket.create_connection(("192.0.2.1", 80), timeout=1)

def test_environment(tmp_path):
    assert "UV_INDEX_URL" not in os.environ
    assert "WHEELFERRY_STORE" not in os.environ
    assert Path.home().is_relative_to(tmp_path)
    assert Path(os.environ["XDG_CACHE_HOME"]).is_relative_to(tmp_path)

def test_home():
    assert str(Path.home()) != os.environ["REAL_HOME"]
"""


def test_guards_fail_the_tests_that_need_it(tmp_path):
    """Threads, children and connections are refused; the environment is clean."""
    inner = tmp_path / "test_inner.py"
    inner.write_text(_INNER)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest"]
    command += ["-p", "no:cacheprovider", f"-c{_CHECKOUT / 'pyproject.toml'}"]
    done = subprocess.run(
        # A base of its own: pytest tidies up the common one when it ends, for minutes.
        [
            *command,
            f"--rootdir={tmp_path}",
            f"--basetemp={tmp_path / 'base'}",
            str(inner),
        ],
        cwd=_CHECKOUT,
        env={
            **os.environ,
            "UV_INDEX_URL": "http://192.0.2.1/",
            "WHEELFERRY_STORE": "/nowhere",
            "REAL_HOME": os.environ["HOME"],
            "COLUMNS": "300",
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    pattern = r"^(?:FAILED|ERROR) \S+::(\w+) - (.*)$"
    failed = dict(re.findall(pattern, done.stdout, re.MULTILINE))
    assert failed.keys() == {"test_thread", "test_child", "test_network"}, done.stdout
    assert "left running: Thread-" in failed["test_thread"]
    assert "left running: process" in failed["test_child"]
    assert "wanted to connect to" in failed["test_network"]
