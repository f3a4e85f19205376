"""Actors that share a store, with their steps taken in an order that a test gives."""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any, TypeAlias

from tests.support.parts import PARTS

Step: TypeAlias = Callable[[str], None]
"""To be called before each step, with its name."""

Actor: TypeAlias = Callable[[Step], None]

VISIBLE = frozenset({"list_segments", "commit_segment", "remove_segment"})
"""Calls of a store that see, or change, what others may change or see."""


class Stepped:
    """A store, or a part of one, whose calls are steps: those in VISIBLE."""

    def __init__(self, store: Any, step: Step) -> None:
        self._store = store
        self._step = step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in PARTS:
            return Stepped(found, self._step)
        if name not in VISIBLE:
            return found

        def call(*args: Any, **more: Any) -> Any:
            self._step(name)
            return found(*args, **more)

        return call


def interleave(actors: Sequence[Actor], order: Sequence[int]) -> None:
    """Run actors in threads, one step at a time.

    `order` has numbers of actors: each has it take a step, and whatever is before its
    next one.  What is left when it ends is done actor by actor.
    """
    turns = [_Turn(actor) for actor in actors]
    for turn in turns:
        turn.start()
    for number in order:
        turns[number].go_on()
    for turn in turns:
        while not turn.has_ended:
            turn.go_on()
        turn.finish()


def all_orders(first: int, second: int) -> Iterator[tuple[int, ...]]:
    """Yield each order of so many steps of two actors."""
    for places in combinations(range(first + second), first):
        yield tuple(0 if n in places else 1 for n in range(first + second))


class _Turn:
    def __init__(self, actor: Actor) -> None:
        self.has_ended = False
        self._actor = actor
        self._may_go = threading.Semaphore(0)
        self._waits = threading.Semaphore(0)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Go as far as the first step."""
        self._thread.start()
        self._waits.acquire()

    def go_on(self) -> None:
        """Take a step, and go as far as the next one, if there is one."""
        if not self.has_ended:
            self._may_go.release()
            self._waits.acquire()

    def finish(self) -> None:
        """Raise what it has raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._actor(self._step)
        except BaseException as exc:  # noqa: BLE001 - raised in the test's thread
            self._error = exc
        finally:
            self.has_ended = True
            self._waits.release()

    def _step(self, name: str) -> None:
        del name
        self._waits.release()
        self._may_go.acquire()
