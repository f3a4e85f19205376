"""The table of formats, against what was seen of real uv (docs/uv-cache.md)."""

import pytest

from wheelferry.uvcache.formats import (
    FORMATS,
    NEWEST_SEEN,
    Family,
    choose_formats,
    find_bucket,
    find_format,
    formats_for_bucket,
    formats_for_uv,
    parse_release,
)

WRITTEN = {
    "0.5.14": ("wheels-v3/array2", "sdists-v6/array2"),
    "0.5.25": ("wheels-v3/array2", "sdists-v6/array2"),
    "0.5.26": ("wheels-v3/array2", "sdists-v7/array2"),
    "0.5.31": ("wheels-v3/array2", "sdists-v7/array2"),
    "0.6.0": ("wheels-v4/array3", "sdists-v8/array2"),
    "0.6.3": ("wheels-v4/array3", "sdists-v8/array2"),
    "0.6.4": ("wheels-v5/array4", "sdists-v8/array2"),
    "0.6.7": ("wheels-v5/array4", "sdists-v8/array2"),
    "0.6.8": ("wheels-v5/array4", "sdists-v9/array2"),
    "0.7.22": ("wheels-v5/array4", "sdists-v9/array2"),
    "0.8.24": ("wheels-v5/array4", "sdists-v9/array2"),
    "0.9.30": ("wheels-v5/array4", "sdists-v9/array2"),
    "0.10.0": ("wheels-v6/array4", "sdists-v9/array2"),
    "0.11.33": ("wheels-v6/array4", "sdists-v9/array2"),
    "0.12.0": ("wheels-v6/array5", "sdists-v9/array3"),
    "0.12.1": ("wheels-v6/array5", "sdists-v9/array3"),
    "0.12.2": ("wheels-v6/map", "sdists-v9/map"),
    "0.12.24": ("wheels-v6/map", "sdists-v9/map"),
    "0.13.0": ("wheels-v7/array5", "sdists-v10/array3"),
    "0.13.8": ("wheels-v7/array5", "sdists-v10/array3"),
    "0.13.9": ("wheels-v8/array5", "sdists-v11/array3"),
}

READ = {
    "0.6.8": {
        "wheels-v5/array4",
        "sdists-v9/array2",
        "sdists-v9/map",
        "sdists-v9/git",
    },
    "0.11.33": {
        "wheels-v6/array4",
        "wheels-v6/map",
        "sdists-v9/array2",
        "sdists-v9/map",
        "sdists-v9/git",
    },
    "0.12.0": {
        "wheels-v6/array4",
        "wheels-v6/array5",
        "wheels-v6/map",
        "sdists-v9/array2",
        "sdists-v9/array3",
        "sdists-v9/map",
        "sdists-v9/git",
    },
    "0.13.8": {"wheels-v7/array5", "sdists-v10/array3", "sdists-v10/git"},
    "0.13.9": {"wheels-v8/array5", "sdists-v11/array3", "sdists-v11/git"},
}


def of_family(format_ids, family):
    return [f for f in format_ids if f.startswith(family) and not f.endswith("/git")]


@pytest.mark.parametrize(("version", "written"), WRITTEN.items())
def test_formats_begin_with_what_that_uv_writes(version, written):
    """Of the formats that a uv reads, the one that it writes is preferred."""
    found = formats_for_uv(parse_release(version))
    wheels, sdists = (of_family(found, family)[0] for family in Family)
    assert (wheels, sdists) == written


@pytest.mark.parametrize(("version", "read"), READ.items())
def test_formats_are_those_that_uv_was_seen_to_read(version, read):
    """The bucket's name does not decide: 0.11 cannot read what 0.12.0 wrote."""
    assert set(formats_for_uv(parse_release(version))) == read


@pytest.mark.parametrize("version", WRITTEN)
def test_formats_of_git_builds_are_in_the_bucket_of_builds(version):
    """Each uv has exactly one format for git, beside what it writes for sdists."""
    found = formats_for_uv(parse_release(version))
    git = [format_id for format_id in found if format_id.endswith("/git")]
    bucket = WRITTEN[version][1].partition("/")[0]
    assert git == [f"{bucket}/git"]


def test_formats_of_a_newer_uv_are_those_of_the_newest():
    """A release that changed nothing, as most do, is served without a new table."""
    major, minor, patch = NEWEST_SEEN
    assert formats_for_uv((major, minor, patch + 1)) == formats_for_uv(NEWEST_SEEN)


def test_formats_of_a_uv_before_the_table_are_none():
    """What was not seen is not guessed."""
    assert formats_for_uv((0, 4, 30)) == ()


def test_format_ids_are_unique_and_found():
    """An id names one row."""
    assert [find_format(row.id) for row in FORMATS] == list(FORMATS)
    assert find_format("wheels-v8/array6") is None
    assert find_format("") is None


def test_bucket_has_its_formats_or_none():
    """An unknown bucket has no formats."""
    shapes = [row.shape for row in find_bucket("wheels-v6")]
    assert sorted(shapes) == ["array4", "array5", "map"]
    assert find_bucket("wheels-v99") == ()


def test_formats_for_a_bucket_are_readable_by_every_uv_that_has_it():
    """Without knowing the uv, only what all of them read is restored."""
    assert set(formats_for_bucket("wheels-v6")) == {"wheels-v6/array4", "wheels-v6/map"}
    assert formats_for_bucket("wheels-v99") == ()


def test_chosen_formats_serve_every_uv_of_the_machine():
    """With 0.11 and 0.12.0 on one machine, what both read comes first."""
    chosen = choose_formats([(0, 11, 33), (0, 12, 0)], [])
    wheels = of_family(chosen, Family.WHEELS)
    assert set(wheels[:2]) == {"wheels-v6/array4", "wheels-v6/map"}
    assert wheels[2:] == ["wheels-v6/array5"]


def test_chosen_formats_include_those_of_the_buckets_there():
    """A bucket of a uv that is not installed any more is served too."""
    chosen = choose_formats([NEWEST_SEEN], ["wheels-v3", "wheels-v99"])
    assert "wheels-v3/array2" in chosen
    assert chosen[: len(formats_for_uv(NEWEST_SEEN))] == formats_for_uv(NEWEST_SEEN)


def test_chosen_formats_with_nothing_known_are_the_safe_ones():
    """With no uv and no bucket, a place gets what each uv that has it reads."""
    chosen = choose_formats([], [])
    assert {"wheels-v8/array5", "wheels-v3/array2", "sdists-v11/git"} <= set(chosen)
    assert "wheels-v6/array5" not in chosen


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("0.13.9", (0, 13, 9)),
        (" 0.13.9 (abc 2026-11-01)", (0, 13, 9)),
        ("0.14.0rc1", (0, 14, 0)),
        ("1.0", (1, 0)),
    ],
)
def test_release_is_the_numbers_of_a_version(text, release):
    """What follows the numbers does not matter."""
    assert parse_release(text) == release


@pytest.mark.parametrize("text", ["", "uv", "v1.0", "."])
def test_release_needs_a_number(text):
    """Anything else is no version."""
    with pytest.raises(ValueError, match="not a version"):
        parse_release(text)


def test_lone_bucket_brings_those_of_its_uv_versions():
    """A pull that was cut short left built wheels only: the next brings the others too."""
    formats = choose_formats((), ["sdists-v11"])

    assert set(formats) == {"wheels-v8/array5", "sdists-v11/array3", "sdists-v11/git"}


def test_buckets_of_both_families_bring_no_others():
    """A cache of one uv is filled for that uv, and not for others that share a bucket."""
    formats = choose_formats((), ["sdists-v9", "wheels-v6"])

    assert {format_id.partition("/")[0] for format_id in formats} == {
        "sdists-v9",
        "wheels-v6",
    }
