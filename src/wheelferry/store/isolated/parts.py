"""A part of a store that another process works on: each call of a method is one to there.

`Store.usage` and `Store.upkeep` are such parts.  Unlike the store's own methods theirs move
no data of objects, so none is written out here: a call goes as the method's name with its
arguments, and the protocols say which methods there are.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final

from wheelferry.store import upkeep, usage
from wheelferry.store.isolated.calls import Calls

_VALUES: Final = {
    made.__name__: made
    for made in (
        upkeep.Quarantined,
        upkeep.StoreSurvey,
        upkeep.Trashed,
        usage.Usage,
        usage.UsageFile,
    )
}


class Part:
    """Has the methods of that attribute of the store in the other process.

    Their arguments and results are of built-in types, or values of `_VALUES`, or lists of
    these; a result may also be an iterator of them.
    """

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name

    def __getattr__(self, method: str) -> Any:
        """Return the method of that name, whether there is one or not."""
        return partial(self._call, method)

    def _call(self, method: str, *arguments: object, **named: object) -> Any:
        is_listing, answer = self._calls.call(
            "call_part",
            self._name,
            method,
            tuple(map(encode_value, arguments)),
            {name: encode_value(value) for name, value in named.items()},
        )
        return self._go_through(answer) if is_listing else decode_value(answer)

    def _go_through(self, handle: int) -> Iterator[Any]:
        try:
            while (items := self._calls.call("go_on", handle)) is not None:
                yield from map(decode_value, items)
        finally:
            self._calls.forget(handle)


def encode_value(value: object) -> Any:
    """Return a value as what `marshal` can write.

    A named tuple becomes `{None: (name of its class, field, ...)}`, which nothing else is.
    """
    if isinstance(value, list):
        return [encode_value(item) for item in value]
    if isinstance(value, AbstractSet):  # such as the keys of a dict
        return frozenset(value)
    if isinstance(value, tuple) and type(value) is not tuple:
        return {None: (type(value).__name__, *map(encode_value, value))}
    return value


def decode_value(value: Any) -> Any:
    """Return what `encode_value` was given."""
    if isinstance(value, list):
        return [decode_value(item) for item in value]
    if isinstance(value, dict) and None in value:
        name, *fields = value[None]
        return _VALUES[name](*map(decode_value, fields))
    return value
