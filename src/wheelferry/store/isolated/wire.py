"""Errors of a store as plain tuples, for the way between two processes.

What is decoded here was encoded by a process of ours that lives as long as we do.
"""

from typing import TypeAlias

from wheelferry import errors
from wheelferry.errors import WheelferryError

_CLASSES = frozenset(
    found for found in vars(errors).values() if isinstance(found, type)
)

Encoded: TypeAlias = tuple[str, tuple[object, ...]]


class StoreProcessFailed(Exception):
    """An exception that nobody expected, of the process that works on the store."""


def encode_error(exc: BaseException) -> Encoded:
    """Return an exception as what `marshal` can write."""
    if isinstance(exc, WheelferryError):
        cause = None if exc.__cause__ is None else _encode_cause(exc.__cause__)
        return "ours", (_class_of(exc), exc.message, exc.hint, cause)
    if isinstance(exc, OSError):
        return _encode_cause(exc)
    import traceback  # noqa: PLC0415 - 6 ms, for a fault of ours

    trace = "".join(traceback.format_exception(exc))
    return "fault", (f"{type(exc).__name__}: {exc}", trace)


def decode_error(encoded: Encoded) -> Exception:
    """Return the exception, to be raised.

    One of ours keeps class, message, hint and cause; an OSError its errno, and with it
    the class.  Any other becomes a StoreProcessFailed whose note has the traceback.
    """
    kind, values = encoded
    if kind == "ours":
        name, message, hint, cause = values
        found: Exception = getattr(errors, str(name))(message, hint=hint)
        if isinstance(cause, tuple):
            found.__cause__ = decode_error(cause)
        return found
    if kind == "os":
        return OSError(*values)
    if kind == "text":
        return Exception(*values)
    text, trace = values
    failed = StoreProcessFailed(text)
    failed.add_note(f"In the process that works on the store:\n\n{trace}")
    return failed


def _encode_cause(exc: BaseException) -> Encoded:
    if not isinstance(exc, OSError):
        return "text", (str(exc),)
    if exc.errno is None:
        return "os", (str(exc),)
    if exc.filename is None:
        return "os", (exc.errno, exc.strerror)
    return "os", (exc.errno, exc.strerror, str(exc.filename))


def _class_of(exc: WheelferryError) -> str:
    """Return the name of the nearest class that is one of `wheelferry.errors`."""
    names = (found.__name__ for found in type(exc).__mro__ if found in _CLASSES)
    return next(names)
