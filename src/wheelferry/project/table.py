"""Take values out of decoded TOML, of the type that they must have.  Pure."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Table: TypeAlias = Mapping[str, Any]


class Malformed(Exception):
    """A value is not what its format has there."""


def text(table: Table, key: str) -> str:
    """Return a string; "" if there is none."""
    value = table.get(key, "")
    if not isinstance(value, str):
        raise Malformed(f"{key} is no string")
    return value


def flag(table: Table, key: str) -> bool:
    """Return a truth value; False if there is none."""
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise Malformed(f"{key} is neither true nor false")
    return value


def size(table: Table, key: str) -> int | None:
    """Return a size in bytes; None if there is none, or one that cannot be.

    Sizes are only told to people: a wrong one keeps no lock from being used.
    """
    value = table.get(key)
    return value if type(value) is int and value >= 0 else None


def tables(table: Table, key: str) -> list[Table]:
    """Return an array of tables; empty if there is none."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise Malformed(f"{key} is no array of tables")
    return value


def texts(table: Table, key: str) -> list[str]:
    """Return an array of strings; empty if there is none."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise Malformed(f"{key} is no array of strings")
    return value


def subtable(table: Table, key: str) -> Table:
    """Return a table; empty if there is none."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise Malformed(f"{key} is no table")
    return value
