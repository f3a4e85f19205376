"""What can be told of a command line without parsing it."""

import pytest

from wheelferry.cli.words import find_words, is_fail_open


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], []),
        (["config", "show"], ["config", "show"]),
        (["--json", "-q", "pull"], ["pull"]),
        (["--config", "pull", "status"], ["status"]),
        (["--config=pull", "status"], ["status"]),
    ],
)
def test_words_are_what_no_flag_is(argv: list[str], words: list[str]) -> None:
    """The command is the first word, after flags and the value of `--config`."""
    assert find_words(argv) == words


@pytest.mark.parametrize(
    ("argv", "is_open"),
    [
        (["pull"], True),
        (["trim", "--max-size", "1G"], True),
        (["--json", "promote", "--dry-run"], True),
        (["pull", "--strict"], False),
        (["verify"], False),
        ([], False),
    ],
)
def test_only_hooks_fail_open(argv: list[str], is_open: bool) -> None:
    """Only commands around jobs do, and not with `--strict`."""
    assert is_fail_open(argv) is is_open
