"""Every order in which the steps of several actors can happen, one after the other.

Each actor runs in a thread of its own, and waits before each step until it is chosen: so
one moves at a time, and a course can be run again by the same choices.
"""

import random
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, cast

from tests.support.disks import Died
from tests.support.parts import PARTS
from wheelferry.store.base import Store

Actor = Callable[["Gate"], None]


class Course:
    """One order; `log` has the steps that were taken.

    Args:
        choose: Given how many wait, returns which of them moves.
    """

    def __init__(self, choose: Callable[[int], int]) -> None:
        self.log: list[str] = []
        self.errors: list[BaseException] = []
        self._choose = choose
        self._changed = threading.Condition()
        self._waiting: dict[str, str] = {}
        self._moving: set[str] = set()

    def run(self, actors: Mapping[str, Actor]) -> None:
        """Have the actors run to their ends; raises what one of them raised."""
        self._moving = set(actors)
        threads = [
            threading.Thread(target=self._act, args=(name, actor))
            for name, actor in actors.items()
        ]
        for thread in threads:
            thread.start()
        while True:
            with self._changed:
                while self._moving:
                    assert self._changed.wait(30), f"{self._moving} after {self.log}"
                names = sorted(self._waiting)
                if not names:
                    break
                name = names[self._choose(len(names))]
                self.log.append(f"{name} {self._waiting.pop(name)}")
                self._moving.add(name)
                self._changed.notify_all()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def await_turn(self, name: str, step: str) -> None:
        """Wait, as that actor, until this step is chosen."""
        with self._changed:
            self._moving.discard(name)
            self._waiting[name] = step
            self._changed.notify_all()
            while name in self._waiting:
                self._changed.wait(30)

    def _act(self, name: str, actor: Actor) -> None:
        try:
            self.await_turn(name, "begins")
            actor(Gate(self, name))
        except Died:
            self.log.append(f"{name} dies")
        except BaseException as exc:  # noqa: BLE001 - raised by `run`
            self.errors.append(exc)
        finally:
            with self._changed:
                self._moving.discard(name)
                self._changed.notify_all()


class Gate:
    """Where one actor waits.

    Attributes:
        dies_at: Before which of its steps it is killed, counted from 0; None for never.
        steps: How many it took.
    """

    def __init__(self, course: Course, name: str, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.steps = 0
        self._course = course
        self._name = name

    def wrap(self, store: object, calls: Collection[str]) -> Store:
        """Return the store, of which these calls are steps, also those of its parts."""
        return cast("Store", _Stepwise(store, self, frozenset(calls)))

    def step(self, what: str) -> None:
        """Wait for the turn; raises Died."""
        if self.steps == self.dies_at:
            raise Died
        self.steps += 1
        self._course.await_turn(self._name, what)


class _Stepwise:
    def __init__(self, store: object, gate: Gate, calls: Collection[str]) -> None:
        self._store = store
        self._gate = gate
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in PARTS:
            return _Stepwise(found, self._gate, self._calls)
        if name not in self._calls:
            return found

        def call(*args: object, **kwargs: object) -> object:
            self._gate.step(name)
            return found(*args, **kwargs)

        return call


def all_courses() -> Iterator[Course]:
    """Yield a course for each order there is; each must be run before the next."""
    choices: list[int] = []
    while True:
        taken: list[tuple[int, int]] = []
        yield Course(_by(choices, taken))
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        choices = [choice for choice, _ in taken]
        choices[-1] += 1


def some_courses(number: int, seed: int = 1) -> Iterator[Course]:
    """Yield so many courses at random, always the same."""
    chance = random.Random(seed)
    for _ in range(number):
        yield Course(chance.randrange)


def _by(choices: Sequence[int], taken: list[tuple[int, int]]) -> Callable[[int], int]:
    def choose(waiting: int) -> int:
        choice = choices[len(taken)] if len(taken) < len(choices) else 0
        taken.append((choice, waiting))
        return choice

    return choose
