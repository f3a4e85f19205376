"""What `bench` says of a project that real uv has locked and installed."""

from pathlib import Path

import pytest

from tests.support.fleet import make_fleet

pytestmark = pytest.mark.uv


def test_bench_knows_what_the_index_sends(site, new_runner, uv, tmp_path: Path):
    """Its bytes for a job are those that an empty cache gets; and it asks for none."""
    fleet = make_fleet(tmp_path / "store")
    project = site.project(["pure-wheel==1.0", "native-wheel", "pure-sdist==1.0"])
    a, b = new_runner("a", uv), new_runner("b", uv)
    files = sum(request.body_bytes for request in a.sync(project).downloads)
    fleet.promote(a)
    before = len(site.index.requests)

    python = ".".join(map(str, a.python.release))
    flags = (f"--project={a.work}", f"--python={python}", "--max-size=16M")
    ran = fleet.command(b, "bench", *flags)
    assert ran.returncode == 0, ran.stderr
    found = ran.summary
    assert found["lock"] == {"packages": 3, "sized": 3, "index_bytes": files}
    assert found["measured"]["source"] == "store"
    assert found["measured"]["packages"] == 3
    assert {way["way"]: way["fresh"]["index_bytes"] for way in found["ways"]} == {
        "no-sharing": files,
        "uv-on-share": 0,
        "archive": 0,
        "wheelferry": 0,
    }
    assert len(site.index.requests) == before
    assert not b.cache.exists()
    assert not (fleet.store / "staging" / "b").exists()
