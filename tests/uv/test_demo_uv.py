"""`wheelferry demo`, as a new user runs it, where no index can be reached."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wheelferry.sample import can_compile

pytestmark = pytest.mark.uv


@pytest.fixture
def demo(tmp_path: Path) -> dict[str, Any]:
    """What the demo prints as JSON; its warnings under `stderr`."""
    environ = {
        **os.environ,
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
        "UV_PROJECT_ENVIRONMENT": str(tmp_path / "mine"),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "wheelferry", "demo", "--json"]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "stderr": done.stderr}


def test_demo_shows_the_main_job_without_an_index(demo, tmp_path):
    """It says that it falls back, B builds nothing and links what A built, and all goes."""
    first, second = demo["runners"]
    builds = 2 if can_compile() else 1

    assert "an index of the demo's own" in demo["index"]
    assert "no index" in demo["stderr"]
    assert (first["builds"], second["builds"]) == (builds, 0)
    assert demo["builds_avoided"] == builds
    assert demo["files_linked"] > 40
    assert first["bytes"] > 500_000
    assert second["bytes"] > 500_000
    assert [path.name for path in tmp_path.iterdir() if "demo" in path.name] == []
    assert not (tmp_path / "mine").exists()
