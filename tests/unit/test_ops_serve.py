"""Which records of the store serve what a lock asks for."""

from typing import Any

import pytest

from tests.unit.test_ops_choose import light
from tests.unit.test_project_uvlock import make_python
from wheelferry.ops.serve import Served, find_roots, serve
from wheelferry.project.need import ANY_INDEX, File, FileKind, Need, Source, SourceKind
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.seahash import cache_digest

LINUX, ABI3, PURE = "cp311-cp311-linux_x86_64", "cp39-abi3-linux_x86_64", "py3-none-any"
PYTHONS = (make_python("3.11.2", LINUX, ABI3), make_python("3.9.1", ABI3))
PYPI = Source(SourceKind.INDEX, "https://pypi.org/simple")
ONE, TWO = "sha256:" + "11" * 32, "sha256:" + "22" * 32
WHEEL = File(FileKind.WHEEL, PURE, (ONE,))
SDIST = File(FileKind.SDIST, hashes=(ONE,))


def need(
    file: File = WHEEL,
    *,
    version: str = "1.0",
    source: Source = PYPI,
    pythons: tuple[int, ...] = (0,),
) -> Need:
    return Need("demo", version, source, file, pythons)


def wheel(tags: str = PURE, **changes: Any) -> LightRecord:
    """Return the record of a downloaded wheel from PyPI."""
    return light()._replace(tags=tags, stem=f"1.0-{tags}", **changes)


def built(tags: str = PURE, **changes: Any) -> LightRecord:
    """Return the record of a wheel that uv built from an sdist of PyPI."""
    fields: dict[str, Any] = {"kind": "registry-sdist", "shard": "pypi/demo/1.0"}
    record = light(format_id="sdists-v9/map", stem=f"demo-1.0-{tags}")
    return record._replace(tags=tags, **{**fields, **changes})


def ask(what: Need, *records: LightRecord) -> Served:
    (served,) = serve([what], records, PYTHONS, unfit)
    return served


def unfit(record: LightRecord) -> str | None:
    """Return that what says so needs another machine."""
    return "needs more" if record.joined_needs else None


def tags(served: Served) -> list[str]:
    return sorted(record.tags for record in served.records)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (wheel(), None),
        (wheel(version="1.0.0"), None),
        (wheel(version="1.1"), ""),
        (wheel(name="other"), ""),
        (wheel(ABI3), ""),
        (built(), ""),
        (wheel(joined_hashes=f"md5:00 {ONE}"), None),
        (wheel(joined_hashes=TWO), "another hash"),
        (wheel(joined_hashes=""), "without a hash"),
        (wheel(shard="index/0123456789abcdef/demo"), "another source"),
    ],
)
def test_record_must_be_what_the_lock_names(
    record: LightRecord, reason: str | None
) -> None:
    """Name, version, file, hash and source; what is wrong is told."""
    served = ask(need(), record)
    assert (served.records == (record,)) is (reason is None)
    assert (reason or "") in served.reason
    assert bool(served.reason) is bool(reason)


def test_lock_without_hashes_takes_any() -> None:
    """There is nothing to compare."""
    free = need(File(FileKind.WHEEL, PURE))
    assert (
        len(ask(free, wheel(joined_hashes=""), wheel(joined_hashes=TWO)).records) == 2
    )


def test_each_python_gets_the_best_of_the_wheels_built_from_an_sdist() -> None:
    """And what no Python here can use stays in the store."""
    records = [
        built(LINUX),
        built(ABI3),
        built(PURE),
        built("cp312-cp312-linux_x86_64"),
    ]
    assert tags(ask(need(SDIST), *records)) == [LINUX]
    assert tags(ask(need(SDIST, pythons=(0, 1)), *records)) == [LINUX, ABI3]
    served = ask(need(SDIST, pythons=(1,)), records[0])
    assert (served.records, served.is_elsewhere) == ((), True)
    assert f"for {LINUX}, which does not fit CPython 3.9.1" in served.reason


def test_build_that_this_machine_cannot_use_is_left_for_one_that_it_can() -> None:
    """And its reason is given only if there is none."""
    newer, older = built(LINUX, joined_needs="arch=x"), built(ABI3)
    assert tags(ask(need(SDIST), newer, older)) == [ABI3]
    served = ask(need(SDIST), newer)
    assert (served.records, served.unfit) == ((), (newer,))
    assert (served.reason, served.is_elsewhere) == ("needs more", True)


def test_wheels_built_with_other_settings_all_come() -> None:
    """Which settings a job has is not known."""
    records = [built(), built(settings="00" * 8)]
    assert len(ask(need(SDIST), *records).records) == 2


def test_wheel_is_preferred_to_a_built_one() -> None:
    """Where a line leaves the file open, uv builds nothing that it can download."""
    free = need(File(FileKind.ANY), source=ANY_INDEX)
    downloaded = wheel()
    assert ask(free, built(LINUX), downloaded).records == (downloaded,)
    assert tags(ask(free, wheel("cp27-none-any"), built(LINUX))) == [LINUX]


def test_roots_are_uvs_directories() -> None:
    """PyPI has a name, everything else a key of its URL; see `indexkeys`."""
    mirror = "https://host/simple"
    assert find_roots(Source(SourceKind.INDEX, mirror)) == {
        f"index/{cache_digest(mirror)}"
    }
    assert "pypi" in find_roots(PYPI)
    assert "pypi" not in find_roots(Source(SourceKind.INDEX, f"{PYPI.url}.evil"))
    commit = "0123456789abcdef0123456789abcdef01234567"
    (root,) = find_roots(Source.git("https://host/x.git", commit))
    key = cache_digest(f"git+https://host/x@{commit}")
    assert root == f"git/{key}/0123456789abcdef"
    assert find_roots(Source(SourceKind.URL, "http://[nonsense")) == frozenset()
