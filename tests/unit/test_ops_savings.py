"""What a pull saved, by package."""

from itertools import count

from wheelferry.ops.pull_plan import PullPlan, PullReport
from wheelferry.ops.savings import count_restored
from wheelferry.store.record import Digest, Identity
from wheelferry.store.view import LightRecord, RecordRef

_refs = count()


def light(
    name: str, *, size: int | None = 100, pack: str = "", kind: str = "registry-wheel"
) -> LightRecord:
    """Return a record of a wheel of that size, whose pack has 10 bytes."""
    ref = next(_refs)
    return LightRecord(
        ref=RecordRef(ref),
        identity=Identity(f"{ref}"),
        format_id="wheels-v6/map",
        kind=kind,
        shard=f"pypi/{name}",
        settings="",
        stem=f"1.{ref}-py3-none-any",
        name=name,
        version="1.0",
        tags="py3-none-any",
        joined_hashes="",
        size_bytes=size,
        pack=Digest(pack or f"{ref}"),
        pack_bytes=10,
        tree_bytes=1,
        tree_files=1,
    )


def counted(
    *records: LightRecord, is_asked: bool = True, **build_times: float
) -> tuple[dict[str, float], list[dict[str, object]]]:
    fetched = {record.pack: record for record in records}.values()
    plan = PullPlan(
        wanted=records,
        held=(),
        left=(),
        fetched=tuple(fetched),
        served=() if is_asked else None,
    )
    report = PullReport(restored=records, bytes_read=10 * len(fetched))
    for record in records:
        if record.name in build_times:
            report.build_times[record.ref] = build_times[record.name]
    sums, packages = count_restored(plan, report)
    return dict(sums), [dict(package) for package in packages]


def test_wheels_are_counted_by_package() -> None:
    """With the bytes of their packs, and those that an index would have sent."""
    sums, packages = counted(light("b"), light("a"), light("a", size=None))

    assert packages == [
        {
            "name": "a",
            "pulled": 2,
            "pulled_bytes": 20,
            "avoided_bytes": 100,
            "unsized": 1,
        },
        {"name": "b", "pulled": 1, "pulled_bytes": 10, "avoided_bytes": 100},
    ]
    assert {name: value for name, value in sums.items() if value} == {
        "pulled": 3,
        "pulled_bytes": 30,
        "avoided_bytes": 200,
        "unsized": 1,
    }


def test_one_pack_of_two_entries_is_read_once() -> None:
    """Each entry is restored, and a file would have been sent for each."""
    ((a,),) = [counted(light("a", pack="p"), light("a", pack="p"))[1]]

    assert (a["pulled"], a["pulled_bytes"], a["avoided_bytes"]) == (2, 10, 200)


def test_one_sdist_is_sent_once_for_all_wheels_built_from_it() -> None:
    """But each wheel is a build that was avoided."""
    wheels = [light("a", kind="registry-sdist") for _ in range(3)]
    sums, _ = counted(*wheels)

    assert (sums["avoided_bytes"], sums["builds"], sums["untimed"]) == (100, 3, 3)


def test_build_has_its_time_where_one_is_known() -> None:
    """A wheel that was downloaded has none, whatever a record says of it."""
    sums, (a, b, c) = counted(
        light("a", kind="registry-sdist"),
        light("b", kind="git", size=None),
        light("c"),
        a=2.5,
        c=7.0,
    )

    assert (sums["builds"], sums["build_s"], sums["untimed"]) == (2, 2.5, 1)
    assert (a["longest_s"], b["untimed"], "build_s" in c) == (2.5, 1, False)


def test_what_no_job_asked_for_is_pulled_ahead() -> None:
    """Its download is avoided only if one does."""
    assert counted(light("a"), is_asked=False)[0]["ahead_bytes"] == 100
    assert "ahead_bytes" not in counted(light("a"))[0]
