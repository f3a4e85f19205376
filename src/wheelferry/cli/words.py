"""What can be told of a command line before it is parsed, or when nothing else works."""

from collections.abc import Sequence
from typing import Final

FAIL_OPEN: Final = frozenset({"promote", "pull", "trim"})
"""Commands that run around jobs: even a broken installation must not harm them."""


def find_words(argv: Sequence[str]) -> list[str]:
    """Return the command line without its flags: the command is its first word."""
    words: list[str] = []
    is_value = False
    for arg in argv:
        if not is_value and not arg.startswith("-"):
            words.append(arg)
        is_value = arg == "--config" and not words
    return words


def is_fail_open(argv: Sequence[str]) -> bool:
    """Return whether what goes wrong in this run must not be told by its exit code."""
    return "--strict" not in argv and not FAIL_OPEN.isdisjoint(find_words(argv)[:1])
