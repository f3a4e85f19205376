"""Plans and reports, for people and for machines."""

import io
import json
from pathlib import Path

import pytest

from wheelferry.cli import render_promote, render_pull, render_status, render_verify
from wheelferry.cli.output import Form, Output, Style
from wheelferry.cli.render_left import render_left, tell_left
from wheelferry.ops.finding import Finding, Severity
from wheelferry.ops.left import Left
from wheelferry.ops.promote import PromotePlan, PromoteReport
from wheelferry.ops.pull import PullPlan, PullReport
from wheelferry.ops.status import FormatStatus, Status
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
        held=tuple(map(record, range(held))),
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


def test_summary_counts_what_is_worth_another_look_soon() -> None:
    """Of what stays and of what failed, only that which something else held up."""
    soon, never = Left("x", "y", is_unsettled=True), Left("z", "y", is_fault=True)
    pulled = PullReport(failed=[soon, never])
    assert render_pull.encode_report(pull_plan(2), pulled, 0.1)["unsettled"] == 1
    plan = PromotePlan(candidates=(), in_store=0, restored=0, left=(soon, never))
    promoted = PromoteReport(rejected=[never, soon, soon])
    assert render_promote.encode_report(plan, promoted, 0.1, 0.0)["unsettled"] == 3


def test_pull_says_when_there_is_nothing_to_do() -> None:
    """Nothing to do is said as such, with what is there already."""
    line = render_pull.render_report(pull_plan(0, held=7), PullReport(), 0.1)
    assert line == (
        "nothing to pull: 7 entries are in the cache already;"
        " 1 entry is left in the store (-v names them)"
    )


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (PullPlan(wanted=(), held=(), left=(), fetched=()), "the store is empty"),
        (
            PullPlan(
                wanted=(),
                held=(),
                left=(Left("a 1", "its name matches no include pattern"),) * 2,
                fetched=(),
                other_formats=3,
            ),
            (
                "2 entries are left in the store (-v names them);"
                " 3 entries are for other uv versions"
            ),
        ),
        (
            PullPlan(wanted=(), held=(), left=(), fetched=(), refused_segments=1),
            "1 segment of the catalog could not be read",
        ),
    ],
)
def test_pull_says_why_there_is_nothing_to_do(plan: PullPlan, reason: str) -> None:
    """An empty store, one for other uv versions and one left by rules are told apart."""
    line = render_pull.render_report(plan, PullReport(), 0.1)
    assert line == f"nothing to pull: {reason}"


def test_pull_says_what_another_did() -> None:
    """Of two pulls at once, the slower says why it has put so little into the cache."""
    line = render_pull.render_report(
        pull_plan(38), PullReport(present_meanwhile=38), 1.0
    )
    assert line == (
        "pulled 0 of 38 entries, 0 B over the network (0 B unpacked), 1.0 s;"
        " 38 were put there meanwhile"
    )


def test_left_is_summed_up_by_reason() -> None:
    """What rules leave is counted; what is left by a fault is warned of instead."""
    left = [
        *(Left(f"p{number} 1", "its name matches no pattern") for number in range(30)),
        Left("q 1", "its URL\n::error::"),
        Left("r 1", "ambiguous", is_fault=True),
    ]
    assert render_left(left) == [
        "left: 30 entries: its name matches no pattern",
        "left: 1 entry: its URL\\n::error::",
    ]


@pytest.mark.parametrize("form", Form)
def test_fault_is_warned_of(form: Form) -> None:
    """What is left by a fault is a warning in each form; JSON has no line for the rest."""
    stdout, stderr = io.StringIO(), io.StringIO()
    style = Style(has_color=False, has_priorities=False, columns=None)
    output = Output(
        "pull", form=form, verbosity=1, style=style, stdout=stdout, stderr=stderr
    )
    tell_left(output, [Left("r 1", "ambiguous", is_fault=True), Left("q 1", "a rule")])
    text = stdout.getvalue() + stderr.getvalue()
    if form is Form.TEXT:
        assert text == "warning: left: r 1: ambiguous\nleft: q 1: a rule\n"
    else:
        (line,) = map(json.loads, text.splitlines())
        assert (line["type"], line["level"]) == ("entry.left", "warning")


def test_pull_plan_has_bytes() -> None:
    """A plan lists entries with their sizes, what stays and why, and the sum."""
    assert render_pull.render_plan(pull_plan(2)).splitlines() == [
        "package  version  tags           packed  unpacked",
        "six      1.0      py3-none-any  4.0 MiB    16 MiB",
        "six      1.1      py3-none-any  4.0 MiB    16 MiB",
        "left: 1 entry: ambiguous\\n::error::",
        "would pull 2 entries, 8.0 MiB over the network (32 MiB unpacked)",
    ]
    plan = render_pull.encode_plan(pull_plan(2))
    assert (plan["fetch_bytes"], plan["tree_bytes"]) == (8 * MIB, 32 * MIB)


def test_promote_says_when_there_is_nothing_to_do() -> None:
    """Entries that came from the store count as being there."""
    plan = PromotePlan(candidates=(), in_store=1, restored=0, left=())
    line = render_promote.render_report(plan, PromoteReport(), 0.1, 0.0)
    assert line == "nothing to promote: 1 entry is in the store already"
    assert render_promote.render_plan(plan) == "would promote 0 entries, 0 B unpacked"
    nothing = PromotePlan(candidates=(), in_store=0, restored=0, left=())
    line = render_promote.render_report(nothing, PromoteReport(), 0.1, 0.0)
    assert line == "nothing to promote: the cache has no wheels that are known"
    stays = PromotePlan(candidates=(), in_store=0, restored=0, left=(Left("a", "b"),))
    line = render_promote.render_report(stays, PromoteReport(), 0.1, 0.0)
    assert line == "nothing to promote: 1 entry stays here (-v names them)"


def test_status_has_bytes_of_both_directions() -> None:
    """A row has what a promotion would pack, and what a pull would read."""
    row = FormatStatus(
        format_id="wheels-v6/map",
        is_pulled=True,
        cache=5,
        restored=0,
        store=7,
        to_promote=2,
        to_promote_bytes=9 * MIB,
        to_pull=4,
        to_pull_bytes=30 * MIB,
    )
    status = Status(
        cache=Path("/c"),
        store="/s",
        store_id="0" * 32,
        runner="r",
        segments=1,
        records=7,
        packs=7,
        pack_bytes=MIB,
        tree_bytes=MIB,
        formats=(row,),
        unknown=(),
    )
    _, _, _, _, head, line, *_ = render_status.render_status(status).splitlines()
    assert head.split() == (
        [
            "format",
            "cache",
            "store",
            "to",
            "promote",
            "unpacked",
            "to",
            "pull",
            "packed",
        ]
    )
    assert line.split()[3:] == ["2", "9.0", "MiB", "4", "30", "MiB"]


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
        segments=1,
        records=2,
        objects=3,
        object_bytes=4096,
        read=3,
        findings=[finding],
    )
    assert render_verify.render_report(report, None, "/mnt", 1.0).splitlines() == [
        "error[object-size]: abc: has 3 bytes\\n",
        "  hint: promote it again",
        (
            "/mnt is DAMAGED: 3 objects (4.0 KiB), 1 segment, 2 records, 1 finding,"
            " 1.0 s"
        ),
    ]
    assert render_verify.encode_report(report, None, "/mnt", 1.0)["clean"] is False
