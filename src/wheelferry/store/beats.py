"""Tell whoever waits for a long call that the store goes on answering.

One call of a store can be thousands of system calls: a look at every object, or the read
of a large one that is suspect.  It is slow then, and not silent.
"""

from collections.abc import Callable
from threading import get_ident

_listeners: dict[int, Callable[[], None]] = {}


def listen(listener: Callable[[], None]) -> None:
    """Have `listener` called on each `beat` of the calling thread, from now on."""
    _listeners[get_ident()] = listener


def beat() -> None:
    """Say that a step of the call that this thread works on is done."""
    listener = _listeners.get(get_ident())
    if listener is not None:
        listener()
