"""Plans and reports, for people and for machines."""

from wheelferry.cli import render_promote, render_pull, render_verify
from wheelferry.ops.finding import Finding, Severity
from wheelferry.ops.left import Left
from wheelferry.ops.promote import PromotePlan, PromoteReport
from wheelferry.ops.pull import PullPlan, PullReport
from wheelferry.ops.verify import VerifyReport
from wheelferry.store.record import Digest, Identity
from wheelferry.store.view import LightRecord, RecordRef

MIB = 1 << 20


def record(number: int) -> LightRecord:
    """Return a record of 4 MiB, 16 MiB unpacked."""
    return LightRecord(
        ref=RecordRef(number),
        identity=Identity(f"{number:032x}"),
        format_id="wheels-v6/map",
        kind="registry-wheel",
        shard="pypi/six",
        settings="",
        stem=f"1.{number}-py3-none-any",
        name="six",
        version=f"1.{number}",
        tags="py3-none-any",
        joined_hashes="",
        size_bytes=None,
        pack=Digest(f"{number:064x}"),
        pack_bytes=4 * MIB,
        tree_bytes=16 * MIB,
        tree_files=3,
    )


def pull_plan(wanted: int, *, held: int = 0) -> PullPlan:
    """Return a plan."""
    records = tuple(map(record, range(wanted)))
    return PullPlan(
        wanted=records,
        held=tuple(Digest(f"{number:064x}") for number in range(held)),
        left=(Left(subject="a 1 (git)", reason="ambiguous\n::error::"),),
        fetched=records,
    )


def test_pull_says_what_changed_with_numbers() -> None:
    """One line: entries, bytes over the network, bytes unpacked, seconds."""
    plan = pull_plan(43)
    report = PullReport(
        restored=list(plan.wanted[:41]),
        failed=[Left(subject="x", reason="y")],
        bytes_read=212 * MIB,
        tree_bytes=1126 * MIB,
    )
    assert render_pull.render_report(plan, report, 2.34) == (
        "pulled 41 of 43 entries, 212 MiB over the network (1.1 GiB unpacked), 2.3 s"
    )
    summary = render_pull.encode_report(plan, report, 2.34)
    assert (summary["planned"], summary["restored"]) == (43, 41)
    assert summary["failed"] == [{"subject": "x", "reason": "y"}]
    assert summary["stopped_by"] is None


def test_pull_says_when_there_is_nothing_to_do() -> None:
    """Nothing to do is said as such, with what is there already."""
    line = render_pull.render_report(pull_plan(0, held=7), PullReport(), 0.1)
    assert line == "nothing to pull: 7 entries are in the cache already"


def test_pull_plan_has_bytes() -> None:
    """A plan lists entries with their sizes, what stays and why, and the sum."""
    assert render_pull.render_plan(pull_plan(2)).splitlines() == [
        "package  version  tags           packed  unpacked",
        "six      1.0      py3-none-any  4.0 MiB    16 MiB",
        "six      1.1      py3-none-any  4.0 MiB    16 MiB",
        "left: a 1 (git): ambiguous\\n::error::",
        "would pull 2 entries, 8.0 MiB over the network (32 MiB unpacked)",
    ]
    plan = render_pull.encode_plan(pull_plan(2))
    assert (plan["fetch_bytes"], plan["tree_bytes"]) == (8 * MIB, 32 * MIB)


def test_promote_says_when_there_is_nothing_to_do() -> None:
    """Entries that came from the store count as being there."""
    plan = PromotePlan(candidates=(), in_store=1, restored=0, left=())
    line = render_promote.render_report(plan, PromoteReport(), 0.1)
    assert line == "nothing to promote: 1 entry is in the store already"
    assert render_promote.render_plan(plan) == "would promote 0 entries, 0 B unpacked"


def test_verify_names_each_finding() -> None:
    """Each finding has its hint, and the verdict comes last."""
    finding = Finding(
        severity=Severity.ERROR,
        reference="object-size",
        subject="abc",
        message="has 3 bytes\n",
        hint="promote it again",
    )
    report = VerifyReport(
        segments=1, records=2, objects=3, object_bytes=4096, findings=[finding]
    )
    assert render_verify.render_report(report, "/mnt", 1.0).splitlines() == [
        "error[object-size]: abc: has 3 bytes\\n",
        "  hint: promote it again",
        (
            "/mnt is DAMAGED: 3 objects (4.0 KiB), 1 segment, 2 records, 1 finding,"
            " 1.0 s"
        ),
    ]
    assert render_verify.encode_report(report, "/mnt", 1.0)["clean"] is False
