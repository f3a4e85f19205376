"""Files from a package index, by `pip download`, for what tests fetch once and keep."""

import os
import subprocess
import sys
from pathlib import Path

_ENVIRONMENT = dict(os.environ)  # pip's settings, before a test changes HOME


class DownloadFailed(Exception):
    """They could not be fetched; says why in one line."""


def download(target: Path, *arguments: str, timeout_s: float) -> None:
    """Fetch what pip's arguments ask for into `target`, and nothing that it needs."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--retries=2", f"--dest={target}"]
    try:
        subprocess.run(
            [*command, *arguments],
            env=_ENVIRONMENT,
            check=True,
            timeout=timeout_s,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    except subprocess.CalledProcessError as exc:
        last = (exc.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise DownloadFailed(last.removeprefix("ERROR: ")) from exc
    except subprocess.TimeoutExpired as exc:
        raise DownloadFailed("the index did not answer") from exc
