"""A part of a store that another process works on: each call of a method is one to there.

`Store.usage` and `Store.upkeep` are such parts.  Unlike the store's own methods theirs move
no data of objects, so none is written out here: a call goes as the method's name with its
arguments, and the protocols say which methods there are, and which of them are listings.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final, get_origin

from wheelferry.store import upkeep, usage, usage_files
from wheelferry.store.isolated.calls import Calls

_PROTOCOLS: Final = {"upkeep": upkeep.Upkeep, "usage": usage_files.UsageFiles}

_VALUES: Final = {
    made.__name__: made
    for made in (
        upkeep.Dated,
        upkeep.Foreign,
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
        self._protocol = _PROTOCOLS[name]

    def __getattr__(self, name: str) -> Any:
        """Return the protocol's method of that name."""
        # Names with an underscore are Python's, and no part of the contract.
        method = None if name.startswith("_") else vars(self._protocol).get(name)
        if method is None:
            raise AttributeError(f"a store's {self._name!r} has no method {name!r}")
        is_listing = get_origin(method.__annotations__["return"]) is Iterator
        return partial(self._go_through if is_listing else self._call, name)

    def _call(self, method: str, *arguments: object, **named: object) -> Any:
        return decode_value(self._ask(method, arguments, named))

    def _go_through(
        self, method: str, *arguments: object, **named: object
    ) -> Iterator[Any]:
        """Go through a listing, which begins with its first item.

        So nothing has to be forgotten of one that nobody goes through.
        """
        handle = self._ask(method, arguments, named)
        try:
            while (items := self._calls.call("go_on", handle)) is not None:
                yield from map(decode_value, items)
        finally:
            self._calls.forget(handle)

    def _ask(
        self, method: str, arguments: tuple[object, ...], named: dict[str, object]
    ) -> Any:
        return self._calls.call(
            "call_part",
            self._name,
            method,
            tuple(map(encode_value, arguments)),
            {name: encode_value(value) for name, value in named.items()},
        )


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
