"""`wheelferry promote --limit-rate`, as a process, with a store that must not be silent."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.cachetree import make_cache, make_files, plan
from tests.support.soundness import findings, objects
from tests.support.tiers import make_store

TIMEOUT_S = 0.3
RATE_BYTES_S = 20_000
BURST_BYTES = RATE_BYTES_S


def test_slow_promotion_is_no_silent_store(tmp_path: Path) -> None:
    """One that waits longer than the store may be silent is done, at its rate."""
    noise = bytes(os.urandom(40_000))
    entry = plan("noise", files=make_files("noise", data=(noise, False)))
    cache = make_cache(tmp_path / "cache", [entry])
    store = make_store(tmp_path / "store")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "wheelferry", "promote", "--json", "--strict"),
            *("--store", str(store), "--cache", str(cache)),
            *("--limit-rate", str(RATE_BYTES_S)),
        ],
        env={**os.environ, "WHEELFERRY_STORE_TIMEOUT": str(TIMEOUT_S)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    (pack,) = objects(store).values()
    assert (summary["promoted"], summary["bytes_written"]) == (1, len(pack))
    wait_s = (len(pack) - BURST_BYTES) / RATE_BYTES_S
    assert wait_s > 3 * TIMEOUT_S
    assert summary["duration_s"] >= wait_s
    assert findings(store) == []
