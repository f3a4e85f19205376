"""A caching index proxy from PyPI, as an admin runs it beside the file server."""

import shlex
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fleet.index import SIMPLE_URL
from benchmarks.fleet.place import Place, Ran
from benchmarks.measure import warn

REQUIREMENTS = ("proxpi==1.3.1", "gunicorn==27.0.1")

_THREADS = 16
_STOP_S = 30.0
_FREE_PORT = "import socket, sys; s = socket.create_server((sys.argv[1], 0)); print(s.getsockname()[1])"


def install(folder: Path) -> Path:
    """Return the `bin` of an environment with the proxy, made in a folder once.

    Raises:
        AssertionError: It cannot be installed.
    """
    root = folder / "-".join(("proxy", *REQUIREMENTS))
    done = root / "done"
    if not done.exists():
        warn(f"installing {' and '.join(REQUIREMENTS)}")
        venv.create(root, clear=True, with_pip=True)
        pip = [root / "bin/python", "-m", "pip", "install", "--quiet"]
        command = [*map(str, pip), *REQUIREMENTS]
        code = subprocess.run(command, check=False, stdout=sys.stderr).returncode
        assert code == 0, f"no {REQUIREMENTS[0]}: pip failed, with {code}"
        done.touch()
    return root / "bin"


@contextmanager
def serve(place: Place, folder: Path) -> Iterator[str]:
    """Run an empty proxy of the index on the server; yield what to take for the index.

    What it asks of the index counts as the server's.
    """
    programs, server, address = install(folder), place.server, place.server_address
    find = [str(programs / "python"), "-c", _FREE_PORT, address]
    port = server.shell(shlex.join(find)).strip()
    kept = f"{server.local}/proxy"
    server.shell(f"rm -rf {shlex.quote(kept)}; mkdir {shlex.quote(kept)}")
    running = server.start(
        [
            *(str(programs / "python"), "-m", "gunicorn", f"--bind={address}:{port}"),
            *(f"--threads={_THREADS}", f"--worker-tmp-dir={kept}", "proxpi.server:app"),
        ],
        env={
            "HOME": kept,
            "TMPDIR": kept,
            "HTTP_PROXY": server.index_proxy,
            "PROXPI_INDEX_URL": f"{SIMPLE_URL}/",
            "PROXPI_CACHE_DIR": f"{kept}/cache",
        },
    )
    try:
        server.shell(
            f"n=0; until bash -c '</dev/tcp/{address}/{port}' 2>/dev/null;"
            " do sleep 0.1; n=$((n+1)); [ $n -lt 600 ]; done"
        )
        yield f"http://{address}:{port}/index"
    finally:
        running.stop()
        _expect_end(running.wait(_STOP_S))
        server.shell(shlex.join(["rm", "-rf", kept]))


def _expect_end(ran: Ran) -> None:
    if ran.returncode > 0:
        warn(f"the proxy ended with {ran.returncode}: {ran.stderr[-2000:]}")
