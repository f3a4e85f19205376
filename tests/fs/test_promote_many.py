"""A thousand entries at once: all in the store, in few segments, with little memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.cachetree import make_cache, plan
from tests.support.soundness import catalog
from tests.support.tiers import make_store
from wheelferry.ops.promote_batch import BATCH_ENTRIES

ENTRIES = 1000
LIMIT_KB = 60 << 10

PROBE = """\
import os, sys
from pathlib import Path
from wheelferry.cli.app import run
code = run(sys.argv[1:], os.environ, system_file="/nonexistent")
sys.stdout.flush()
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(code, peak.split()[1])
"""


def test_thousand_entries_are_promoted_in_batches(tmp_path: Path) -> None:
    """Memory does not grow with the number of entries, and segments are far fewer."""
    entries = [plan(f"package-{number}") for number in range(ENTRIES)]
    cache = make_cache(tmp_path / "cache", entries)
    store = make_store(tmp_path / "store")
    argv = ["promote", "--json", "--store", str(store), "--cache", str(cache)]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *argv],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *_, summary, last = done.stdout.splitlines()
    code, peak_kb = map(int, last.split())
    assert code == 0
    assert json.loads(summary)["promoted"] == len(catalog(store)) == ENTRIES
    segments = len(list(store.glob("catalog/*.seg")))
    assert segments == -(-ENTRIES // BATCH_ENTRIES) <= 16
    assert peak_kb < LIMIT_KB
