"""Tables and sentences made of a fleet's samples."""

from dataclasses import replace

from benchmarks.fleet import tables
from benchmarks.fleet.group import make_sites
from benchmarks.fleet.names import Scenario, Way
from benchmarks.fleet.network import Network
from benchmarks.fleet.sample import Share
from tests.support.jobs import BLANK, MB, in_folder, make_run, make_share


def row(text: str, start: str) -> list[str]:
    """Return the cells of the one row that begins so."""
    [line] = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def costs(text: str) -> str:
    """Return the part about what one scenario costs."""
    return text[text.index("\n#### ") :]


def test_counts_are_sums_over_a_round() -> None:
    """Two runners in two rounds: sums over the jobs of one, the median of both."""
    share = Share(
        rpcs={"READ": 9, "OPEN": 5, "LOCK": 2, "CLOSE": 4},
        read_bytes=3 * MB,
        written_bytes=MB // 2,
        waited_s=0,
    )
    samples = [
        replace(
            BLANK,
            round=number,
            runner=runner,
            before_s=seconds,
            index_bytes=10 * MB,
            index_requests=7,
            builds=1,
            lock_waits=3,
            peak_bytes=(40 + number) * MB,
            share=share,
        )
        for number, runner, seconds in (
            (0, "a", 1),
            (0, "b", 2),
            (1, "a", 3),
            (1, "b", 4),
        )
    ]

    text = costs(tables.render(samples))

    assert "2 rounds of 2 jobs on 2 runners; counts are sums" in text
    assert "No job failed." in text
    assert row(text, "wheelferry") == [
        "wheelferry",
        "3.50 (2.00 to 5.00)",
        "0.00 (0.00 to 0.00)",
        "20 (14)",
        "2",
        "6",
        "41",
        "100",
        "6 / 1",
        "40: 18 READ, 10 OPEN, 8 CLOSE",
        "4",
    ]


def test_failed_round_is_left_out_and_told() -> None:
    """What a failed job did not do makes no way cheaper."""
    samples = [
        replace(BLANK, index_bytes=8 * MB),
        replace(BLANK, round=1, has_failed=True),
        replace(BLANK, way=Way.RSYNC, has_failed=True),
    ]

    text = costs(tables.render(samples))

    assert "**Jobs failed**: wheelferry (1 of 2), rsync (1 of 1); their rounds" in text
    assert row(text, "wheelferry")[3] == "8 (0)"
    assert row(text, "rsync")[1:] == ["–"] * 10  # noqa: RUF001


def test_copies_are_told() -> None:
    """A way in which uv cannot make hardlinks is named."""
    samples = [BLANK, replace(BLANK, way=Way.SHARED_CACHE, has_copied=True)]

    text = tables.render(samples)

    assert "hardlinks" not in tables.render([BLANK])
    assert "could not make hardlinks, and copied: uv's cache on the share. No" in text


def test_folder_has_no_columns_of_nfs() -> None:
    """Where no kernel counts, nothing about RPCs is said."""
    text = tables.render(in_folder([BLANK]))

    assert "RPCs |" not in text
    assert len(row(costs(text), "wheelferry")) == 8


def test_way_that_nobody_counted_has_dashes() -> None:
    """Not a zero: on a share beside others, one way may lack what the kernel says."""
    samples = [BLANK, replace(BLANK, way=Way.TAR, share=None)]

    assert row(costs(tables.render(samples)), "tar.zst")[-3:] == ["–"] * 3  # noqa: RUF001


def test_rounds_with_other_numbers_of_jobs_are_told() -> None:
    """Sums over two jobs and over one do not compare."""
    samples = [BLANK, BLANK, replace(BLANK, way=Way.TAR)]

    text = tables.render(samples)

    assert "1 round of 1 to 2 jobs on 1 runner" in text
    assert "**Not all rounds have as many jobs**: wheelferry 2, tar.zst 1." in text


def test_joined_fleets_of_two_sizes_are_told() -> None:
    """Also where each way has rounds of both: 3 jobs and 1 are not 2 each."""
    samples = [
        replace(BLANK, way=way, round=number)
        for way in (Way.WHOLE, Way.TAR)
        for number in (0, 1, 1, 1)
    ]

    text = tables.render(samples)

    assert "2 rounds of 1 to 3 jobs on 1 runner" in text
    assert "as many jobs**: wheelferry 1 and 3, tar.zst 1 and 3." in text


def test_operations_are_counted_as_all_of_them() -> None:
    """By the median round: one with a storm of LOOKUPs is no part of the others."""
    rpcs = ({"READ": 9, "OPEN": 1}, {"READ": 9, "LOOKUP": 99}, {"READ": 9, "OPEN": 2})
    samples = [
        replace(
            BLANK,
            round=number,
            share=Share(rpcs=ops, read_bytes=0, written_bytes=0, waited_s=0),
        )
        for number, ops in enumerate(rpcs)
    ]

    assert row(costs(tables.render(samples)), "wheelferry")[-2] == "11: 9 READ, 1 OPEN"


def test_way_without_a_program_has_no_peak() -> None:
    """Where nothing runs before or after `uv sync`, nothing was measured."""
    samples = [BLANK, replace(BLANK, way=Way.NO_SHARING, peak_bytes=0)]

    assert row(costs(tables.render(samples)), "no sharing")[6] == "–"  # noqa: RUF001


def test_ways_of_joined_runs_have_rounds_of_their_own() -> None:
    """How many rounds there were is told of the way with fewest, and with most."""
    samples = [BLANK, replace(BLANK, round=1), replace(BLANK, way=Way.TAR, round=2)]

    text = tables.render(samples)

    assert "1 to 2 rounds of 1 job on 1 runner" in text
    assert "as many jobs" not in text
    overview = text[text.index("Time to ready") : text.index("\n#### ")]
    assert row(overview, "tar.zst")[1] == "–"  # noqa: RUF001


def test_overview_has_times_within_rounds() -> None:
    """Ratios to the floor; to Wheelferry in a scenario without one; one has no range."""
    samples = [
        replace(BLANK, way=way, scenario=scenario, round=number, before_s=seconds)
        for way, scenario, number, seconds in (
            (Way.FLOOR, Scenario.JOINS, 0, 1.0),
            (Way.FLOOR, Scenario.JOINS, 1, 3.0),
            (Way.WHOLE, Scenario.JOINS, 0, 2.0),
            (Way.WHOLE, Scenario.JOINS, 1, 9.0),
            (Way.WHOLE, Scenario.COLD, 0, 1.0),
            (Way.RSYNC, Scenario.COLD, 0, 29.0),
        )
    ]

    text = tables.render(samples)

    assert (
        "| way | cold fleet, times wheelferry | new runner joins, times floor |" in text
    )
    overview = text[text.index("Time to ready") : text.index("\n#### ")]
    assert row(overview, "wheelferry") == [
        "wheelferry",
        "1.00",
        "2.00 (1.50 to 2.50)",
    ]
    assert row(overview, "rsync") == ["rsync", "15.0", "–"]  # noqa: RUF001


def test_overview_compares_as_many_ways_as_it_can() -> None:
    """With that of ours which has rounds in common with the most others."""
    samples = [
        replace(BLANK, way=way, scenario=Scenario.COLD, round=number, before_s=seconds)
        for way, number, seconds in (
            (Way.WHOLE, 0, 1.0),
            (Way.LOCK, 0, 3.0),
            (Way.LOCK, 1, 1.0),
            (Way.RSYNC, 1, 29.0),
        )
    ]

    text = tables.render(samples)

    assert "| way | cold fleet, times wheelferry, with the lock |" in text
    overview = text[text.index("Time to ready") : text.index("\n#### ")]
    assert row(overview, "rsync")[1] == "15.0"
    assert row(overview, "wheelferry")[1] == "0.50"


def test_losses_are_named() -> None:
    """By scenario, and for each way of ours; the floor is nobody's loss."""
    samples = [
        replace(BLANK, way=way, scenario=scenario, round=number, before_s=seconds)
        for way, scenario, number, seconds in (
            (Way.WHOLE, Scenario.BUMP, 0, 3.0),
            (Way.WHOLE, Scenario.BUMP, 1, 3.0),
            (Way.LOCK, Scenario.BUMP, 0, 1.0),
            (Way.FLOOR, Scenario.BUMP, 0, 0.5),
            (Way.NO_SHARING, Scenario.BUMP, 0, 1.0),
            (Way.NO_SHARING, Scenario.BUMP, 1, 2.0),
            (Way.TAR, Scenario.BUMP, 1, 3.0),
        )
    ]

    text = tables.render(samples)

    assert (
        "Ready before Wheelferry:\n\n* one version bump: no sharing 0.62 (0.50 to 0.75) of"
        " the time of wheelferry.\n\n"
    ) in text
    assert "Nobody was ready before" in tables.render(samples[:3] + samples[-1:])
    assert "before Wheelferry" not in tables.render(samples[:3])


def test_places_and_networks_stand_apart() -> None:
    """Figures of two networks are never mixed."""
    far = replace(BLANK, network=Network(rtt_ms=9, mbit=100), before_s=50.0)

    text = tables.render([BLANK, far, *in_folder([BLANK])])

    heads = [line for line in text.splitlines() if line.startswith("### ")]
    assert heads == [
        "### guest, RTT 1 ms, 1 Gbit/s",
        "### guest, RTT 9 ms, 100 Mbit/s",
        "### folder",
    ]


def test_names_come_in_order_and_unknown_ones_last() -> None:
    """A way that has no name here is shown as well."""
    samples = [
        replace(BLANK, way=way) for way in ("pigeon", Way.RSYNC, Way.FLOOR, Way.WHOLE)
    ]
    [site] = make_sites(samples)

    assert site.ways == ["floor", "wheelferry", "rsync", "pigeon"]


def test_summary_says_what_matters() -> None:
    """Three sentences, of the place with NFS, with the figures of the run."""
    run = make_run()

    text = tables.summary([*in_folder(run), *run])

    assert text.splitlines() == [
        (
            "A runner that joins a warm fleet (guest, RTT 1 ms, 1 Gbit/s) can start its job"
            " after 1.2 times the floor, which is to read the same bytes from one file,"
            " write the same files and `uv sync`. The others: tar.zst 1.8 times, uv's cache"
            " on the share 6.2 times, rsync 6.9 times."
        ),
        (
            "It sends 200 RPCs to the file server (tar.zst 1,000, uv's cache on the share"
            " 70,000, rsync 80,000)."
        ),
        (
            "A warm fleet of 4 runners gets 120 MB from the index and builds 4 wheels;"
            " without sharing, 480 MB and 16 builds."
        ),
    ]


def test_summary_leaves_out_what_was_not_measured() -> None:
    """No sentence rests on a figure that is not there."""
    assert tables.summary([]) == ""
    assert tables.summary([replace(BLANK, way=Way.RSYNC)]) == ""
    assert tables.summary([BLANK]) == "It sends 100 RPCs to the file server."
    warm = replace(BLANK, scenario=Scenario.WARM)
    assert "without sharing" not in tables.summary([warm])
    assert "warm fleet of" in tables.summary([warm])
    mixed = [replace(warm, round=1, runner=runner) for runner in "ab"]
    assert tables.summary([warm, *mixed]) == ""


def test_summary_tells_a_loss() -> None:
    """Where tar.zst is ahead, its smaller figure stands beside ours."""
    samples = [
        replace(BLANK, way=way, before_s=seconds, share=make_share(9))
        for way, seconds in ((Way.FLOOR, 1.0), (Way.WHOLE, 4.0), (Way.TAR, 2.0))
    ]

    assert "after 2.5 times the floor" in tables.summary(samples)
    assert "The others: tar.zst 1.5 times." in tables.summary(samples)
