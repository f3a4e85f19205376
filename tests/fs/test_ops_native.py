"""Natively built wheels between runners that do not have the same."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.cachetree import Planned, formats_of, make_cache, make_files, plan
from tests.support.elves import module, require_gcc
from tests.support.forge import add_segment, read_only_segment, replace_records
from tests.support.machines import MACHINE, make_glibc
from tests.support.tiers import Ferry, make_store
from wheelferry.cli.render_pull import render_plan, render_report
from wheelferry.cli.render_status import encode_status, render_status
from wheelferry.native.elf import read_elf
from wheelferry.native.judge import Machine, Policy
from wheelferry.ops.packages import by_package
from wheelferry.ops.promote import plan_promote
from wheelferry.ops.pull import PullReport, apply_pull, plan_pull
from wheelferry.ops.status import read_status
from wheelferry.ops.target import Target
from wheelferry.project.interpreter import Interpreter
from wheelferry.project.need import ANY_INDEX, Demand, File, FileKind, Need
from wheelferry.store.segment import encode_segment
from wheelferry.uvcache.entry import Kind

KINDS = (Kind.REGISTRY_SDIST, Kind.URL_SDIST, Kind.GIT)
FORMATS = ("wheels-v8/array5", "sdists-v11/array3", "sdists-v11/git")
TOO_NEW = "needs GLIBC_2.38, this machine has 2.36"


@pytest.fixture(scope="module")
def arch(tmp_path_factory: pytest.TempPathFactory) -> str:
    """For what gcc builds here."""
    require_gcc()
    path = tmp_path_factory.mktemp("arch") / "a.so"
    path.write_bytes(module(("libc.so.6", ("GLIBC_2.17",))))
    with path.open("rb") as file:
        elf = read_elf(file)
    assert elf is not None
    return elf.arch


@pytest.fixture
def old(arch: str) -> Machine:
    """One with glibc 2.36, on which this can run."""
    return MACHINE._replace(arch=arch)


@pytest.fixture
def new(old: Machine) -> Machine:
    """One with glibc 2.38."""
    return old._replace(
        libc_version=(2, 38),
        distribution="debian 13",
        libraries={**old.libraries, "libc.so.6": make_glibc(34, 36, 38)},
    )


def native(
    machine: Machine,
    version: str = "GLIBC_2.38",
    kind: Kind = Kind.REGISTRY_SDIST,
    **more: bytes,
) -> Planned:
    """Return a build of one sdist that needs this of glibc."""
    content = {"_native.so": (module(("libc.so.6", (version,))), True)}
    content |= {name: (data, False) for name, data in more.items()}
    return plan(
        "built",
        kind,
        tags=f"cp311-cp311-linux_{machine.arch}",
        files=make_files("built", "1.0", **content),
    )


def ferry(
    root: Path,
    name: str,
    machine: Machine,
    *entries: Planned,
    native: Policy = Policy.CHECKED,
) -> Ferry:
    """Return a runner whose cache has these entries."""
    store = root / "store"
    if not store.exists():
        make_store(store)
    cache = make_cache(root / name, entries) if entries else root / name
    return Ferry(cache=cache, store=store, runner=name, machine=machine, native=native)


def pulled(runner: Ferry) -> tuple[list[str], dict[str, str]]:
    """Pull; return what was restored, and why the rest was left, by package."""
    with runner.open() as tiers:
        planned = plan_pull(tiers, runner.rules, FORMATS)
        report = apply_pull(tiers, planned)
    left = {item.subject.partition(" ")[0]: item.reason for item in planned.left}
    return sorted(record.name for record in report.restored), left


def needs_of(root: Path) -> list[Mapping[str, str]]:
    """Return the needs in the store's records."""
    return [r.needs for r in read_only_segment(root / "store")[1].records]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_unpacked", [True, False])
def test_wheel_that_a_machine_cannot_run_is_refused(
    tmp_path: Path, old: Machine, new: Machine, kind: Kind, *, is_unpacked: bool
) -> None:
    """With the reason; a pure one passes, and so does either where it can run."""
    entry = native(new, kind=kind)
    if not is_unpacked:
        entry = Planned(info=entry.info, files=entry.files, is_unpacked=False)
    ferry(tmp_path, "a", new, entry, plan("pure", Kind.REGISTRY_SDIST)).promote()

    assert needs_of(tmp_path) == [
        {
            "arch": new.arch,
            "distribution": "debian 13",
            "libc": "glibc",
            "libraries": "libc.so.6(GLIBC_2.38)",
        },
        {},
    ]
    assert pulled(ferry(tmp_path, "b", old)) == (["pure"], {"built": TOO_NEW})
    assert pulled(ferry(tmp_path, "c", new)) == (["built", "pure"], {})


def test_reason_is_shown_wherever_someone_looks(
    tmp_path: Path, old: Machine, new: Machine
) -> None:
    """In the plan of a pull, in its last line, and in the status."""
    ferry(tmp_path, "a", new, native(new), plan("pure")).promote()
    runner = ferry(tmp_path, "b", old)
    with runner.open() as tiers:
        planned = plan_pull(tiers, runner.rules, FORMATS)
        assert f"left: 1 entry: {TOO_NEW}" in render_plan(planned)
        line = render_report(planned, PullReport(restored=planned.wanted), 0.1)
        assert line.endswith(f"; 1 entry is not for this machine: {TOO_NEW}")
        apply_pull(tiers, planned)
        again = plan_pull(tiers, runner.rules, FORMATS)
        assert render_report(again, PullReport(), 0.1) == (
            "nothing to pull: 1 entry is in the cache already;"
            f" 1 entry is not for this machine: {TOO_NEW}"
        )
        status = read_status(
            tiers,
            promote_rules=runner.rules,
            pull_rules=runner.rules,
            format_ids=FORMATS,
        )
    assert f"left: 1 entry: {TOO_NEW}" in render_status(status)
    assert encode_status(status)["left"] == [
        {
            "subject": "built 1.0 (registry-sdist, sdists-v11/array3)",
            "reason": TOO_NEW,
            "fault": False,
        }
    ]


def test_what_was_built_here_is_present(
    tmp_path: Path, old: Machine, new: Machine
) -> None:
    """Though the store has only a build that this machine could not use, or may not."""
    ferry(tmp_path, "a", new, native(new)).promote()
    older = native(old, "GLIBC_2.34", text=b"older")
    for name, policy in (("b", Policy.CHECKED), ("c", Policy.NEVER)):
        runner = ferry(tmp_path, name, old, older, native=policy)
        with runner.open() as tiers:
            planned = plan_pull(tiers, runner.rules, FORMATS)
            asked = plan_pull(tiers, runner.rules, FORMATS, target=needing_built(old))
        for found in (planned, asked):
            assert (found.present, found.left, found.wanted) == (1, (), ())
        (package,) = by_package(asked)
        assert (package.state, package.reason) == ("present", "")


def needing_built(machine: Machine) -> Target:
    """Return a job whose lock has the sdist."""
    python = Interpreter({}, {f"cp311-cp311-linux_{machine.arch}": 0})
    need = Need("built", "1.0", ANY_INDEX, File(FileKind.SDIST), (0,))
    return Target([python], Demand((need,)))


def test_package_is_told_what_its_build_needs(
    tmp_path: Path, old: Machine, new: Machine
) -> None:
    """Once, in the plan for a project; a machine that has it all fetches it."""
    ferry(tmp_path, "a", new, native(new)).promote()
    for machine, state, reason in (
        (old, "not-for-this-machine", TOO_NEW),
        (new, "fetch", ""),
    ):
        runner = ferry(tmp_path, f"r{machine.libc_version[1]}", machine)
        with runner.open() as tiers:
            target = needing_built(machine)
            planned = plan_pull(tiers, runner.rules, FORMATS, target=target)
        (package,) = by_package(planned)
        assert (package.state, package.reason) == (state, reason)
        assert [item.reason for item in planned.left] == [reason] * bool(reason)


def test_older_machine_gets_what_an_older_one_built(
    tmp_path: Path, old: Machine, new: Machine
) -> None:
    """Though a newer one was first: both builds stay, and each takes what it can run."""
    ferry(tmp_path, "a", new, native(new)).promote()
    b = ferry(tmp_path, "b", old, native(old, "GLIBC_2.34", text=b"older"))

    assert len(b.promote().promoted) == 1

    c = ferry(tmp_path, "c", old)
    assert pulled(c) == (["built"], {})
    (text,) = c.cache.glob("archive-v0/*/built/text")
    assert text.read_bytes() == b"older"
    assert pulled(ferry(tmp_path, "d", new)) == (["built"], {})
    assert b.promote().promoted == []
    assert ferry(tmp_path, "a", new).promote().promoted == []


def test_newer_machine_adds_nothing_to_what_it_can_run(
    tmp_path: Path, old: Machine, new: Machine
) -> None:
    """One build serves all: a store holds no more of them than it must."""
    ferry(tmp_path, "a", old, native(old, "GLIBC_2.34")).promote()
    b = ferry(tmp_path, "b", new, native(new))

    with b.open() as tiers:
        planned = plan_promote(tiers, b.rules)
    assert (planned.candidates, planned.in_store) == ((), 1)


def test_build_that_its_own_machine_would_refuse_is_promoted_once(
    tmp_path: Path, old: Machine
) -> None:
    """Its library is where only its job finds it; it is not packed for ever."""
    entry = native(old)  # more than the machine has
    runner = ferry(tmp_path, "a", old, entry)

    assert len(runner.promote().promoted) == 1
    with runner.open() as tiers:
        assert plan_promote(tiers, runner.rules).candidates == ()


@pytest.mark.parametrize("policy", Policy)
def test_policy_decides(
    tmp_path: Path, old: Machine, new: Machine, policy: Policy
) -> None:
    """`same-distro` asks where it was built, `never` takes none; pure ones always come."""
    built = native(old, "GLIBC_2.34")
    ferry(tmp_path, "a", old, built, plan("pure", Kind.GIT)).promote()
    runners = [
        ferry(tmp_path, f"r{m.libc_version[1]}", m, native=policy) for m in (old, new)
    ]

    same, other = map(pulled, runners)

    assert (same[0], other[0]) == {
        Policy.CHECKED: (["built", "pure"], ["built", "pure"]),
        Policy.SAME_DISTRO: (["built", "pure"], ["pure"]),
        Policy.NEVER: (["pure"], ["pure"]),
    }[policy]
    if policy is Policy.SAME_DISTRO:
        reason = "built on debian 12, this machine has debian 13 (pull.native)"
        assert other[1] == {"built": reason}


@pytest.mark.parametrize("policy", Policy)
def test_promotions_of_any_policy_come_to_rest(
    tmp_path: Path, old: Machine, new: Machine, policy: Policy
) -> None:
    """Under `same-distro` each release shares its own build, identical ones too."""
    entry = native(old, "GLIBC_2.34")
    runners = [
        ferry(tmp_path, f"r{number}", machine, entry, native=policy)
        for number, machine in enumerate((old, new, old, new))
    ]

    promoted = [len(runner.promote().promoted) for runner in runners]

    assert promoted == ([1, 1, 0, 0] if policy is Policy.SAME_DISTRO else [1, 0, 0, 0])
    assert [len(runner.promote().promoted) for runner in runners] == [0] * 4
    for number, machine in enumerate((old, new)):
        runner = ferry(tmp_path, f"empty{number}", machine, native=policy)
        assert (pulled(runner)[0] == ["built"]) == (policy is not Policy.NEVER)


def test_record_without_needs_is_not_restored(tmp_path: Path, old: Machine) -> None:
    """Nor one with needs that this version does not know: whoever wrote it."""
    entry = native(old, "GLIBC_2.34")
    ferry(tmp_path, "a", old, entry).promote()
    (record,) = read_only_segment(tmp_path / "store")[1].records
    replace_records(tmp_path / "store", [record._replace(needs={})])
    assert pulled(ferry(tmp_path, "b", old)) == (
        [],
        {"built": "built natively, and its record does not say what it needs"},
    )

    later = record._replace(needs={"arch": old.arch, "cpu": "x86-64-v3"})
    add_segment(tmp_path / "store", encode_segment([later], runner="r9", created_s=0))
    assert pulled(ferry(tmp_path, "c", old))[0] == []
    # Whoever builds it shares it as it should be.
    assert len(ferry(tmp_path, "d", old, entry).promote().promoted) == 1
    assert pulled(ferry(tmp_path, "e", old)) == (["built"], {})


def test_wheel_that_is_not_understood_stays_here(tmp_path: Path, old: Machine) -> None:
    """It is named, and the rest is promoted."""
    broken = (module(("libc.so.6", ("GLIBC_2.17",)))[:200], True)
    entry = plan(
        "built",
        Kind.GIT,
        tags=f"cp311-cp311-linux_{old.arch}",
        files=make_files("built", "1.0", **{"_native.so": broken}),
    )

    report = ferry(tmp_path, "a", old, entry, plan("pure")).promote()

    assert [record.name for record in report.promoted] == ["pure"]
    (rejected,) = report.rejected
    assert rejected.reason == "built/_native.so: it is cut off"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("cp311-cp311-manylinux_2_17_{arch}.manylinux2014_{arch}", None),
        ("cp311-cp311-linux_{arch}", None),
        (
            "cp311-cp311-manylinux_2_38_{arch}",
            "needs glibc 2.38 by its tag, this machine has 2.36",
        ),
        (
            "cp311-cp311-musllinux_1_2_{arch}",
            "built for musl, this machine has glibc",
        ),
    ],
)
def test_downloaded_wheel_follows_its_tag(
    tmp_path: Path, old: Machine, tags: str, reason: str | None
) -> None:
    """What is in it is its author's affair, and no needs are recorded."""
    tags = tags.format(arch=old.arch)
    files = make_files(
        "wheel", "1.0", **{"_native.so": (module(("libz.so", ())), True)}
    )
    ferry(tmp_path, "a", old, plan("wheel", tags=tags, files=files)).promote()

    assert needs_of(tmp_path) == [{}]
    expected = ([], {"wheel": reason}) if reason else (["wheel"], {})
    assert pulled(ferry(tmp_path, "b", old, native=Policy.NEVER)) == expected


def test_formats_are_those_of_the_entries(old: Machine) -> None:
    """So that nothing above is left for its format."""
    assert set(formats_of([native(old, kind=kind) for kind in KINDS])) < set(FORMATS)
