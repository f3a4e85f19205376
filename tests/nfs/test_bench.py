"""What `bench` says of a share that really is one."""

from tests.nfs.fleet import NfsFleet
from tests.support.cachetree import make_files, plan
from tests.support.locks import lock_of

BEFORE_AND_AFTER = 80
"""RPCs of a run that are not in its own figure: the look at the share before, and what
tidies up; 62 were counted."""

OF_A_PULL = 10
"""By so many RPCs a pull differs: it notes its use of packs in the store, once a day."""


def test_counts_are_those_of_the_kernel(fleet: NfsFleet) -> None:
    """Of the whole run, and of the pull in it, which costs what a pull costs."""
    a, b, *_ = fleet.runners
    parts = (b"1" * 1000, False), (b"2" * 9000, True), (b"3", False)
    files = make_files("pure-wheel", a=parts[0], b__c=parts[1], b__d=parts[2])
    a.fill(plan("pure-wheel", files=files))
    assert a.ferry("promote").summary["promoted"] == 1
    lock = lock_of(**{"pure-wheel": 5000})
    b.machine.shell(f"cat > {b.home}/uv.lock <<'END'\n{lock}\nEND")
    flags = (f"--project={b.home}", "--python=3.12")

    benched = b.ferry("bench", *flags, "--max-size=16M")
    assert benched.returncode == 0, benched
    found, counted = benched.summary, benched.traffic
    assert found["share"]["fs_type"] == "nfs4"
    assert 0 <= counted.rpcs - found["spent"]["rpcs"] <= BEFORE_AND_AFTER, benched
    assert 0 <= counted.bytes_read - found["spent"]["read_bytes"] < 5000, benched
    assert counted.locks == 0, benched
    assert fleet.count("staging/*/*") == 0

    ways = {way["way"]: way["fresh"] for way in found["ways"]}
    pulled = b.ferry("pull", *flags)
    assert pulled.summary["restored"] == 1
    ours = ways["wheelferry"]["rpcs"]
    assert abs(pulled.traffic.rpcs - ours) <= OF_A_PULL, (benched, pulled)
    assert ways["uv-on-share"]["share_bytes"] == found["measured"]["tree_bytes"]
    assert ways["uv-on-share"]["rpcs"] >= found["measured"]["tree_files"]
    assert ways["archive"]["share_bytes"] == found["measured"]["archive_bytes"]
