"""The thread that ends a run which does not end itself: who has the last word."""

import queue
import threading
from collections.abc import Callable

from wheelferry.cli.failure import run_guarded
from wheelferry.cli.hardstop import HardStop
from wheelferry.cli.session import Process
from wheelferry.disk.clock import Deadline

WAIT_S = 10.0
"""For what comes at once."""


class Watched:
    """A hard stop whose doings can be waited for."""

    def __init__(
        self, after_s: float, tell: Callable[[], object] | None = None
    ) -> None:
        self.done: queue.Queue[str] = queue.Queue()
        self.stop = HardStop(
            Deadline.after(after_s),
            tell=tell or (lambda: self.done.put("told")),
            code=27,
            leave=lambda code: self.done.put(f"left with {code}"),
        )

    def next(self) -> str:
        """Return what it does next."""
        return self.done.get(timeout=WAIT_S)


def test_run_that_says_nothing_is_spoken_for() -> None:
    """It says how the run ended, and then ends the process with the code."""
    watched = Watched(0)
    assert [watched.next(), watched.next()] == ["told", "left with 27"]


def test_run_that_had_its_word_is_ended_without_another() -> None:
    """A run that hangs after its last words, as in a full pipe, is ended silently.

    It may take its word again: what goes wrong while it speaks is told too.
    """
    watched = Watched(0.05)
    watched.stop.take_word()
    watched.stop.take_word()
    assert watched.next() == "left with 27"


def test_run_that_is_spoken_for_says_nothing_more() -> None:
    """Once the thread speaks, the run has to wait for its end."""
    may_end = threading.Event()
    begun = threading.Event()

    def tell() -> None:
        begun.set()
        may_end.wait(WAIT_S)

    watched = Watched(0, tell=tell)
    assert begun.wait(WAIT_S)
    speaker = threading.Thread(target=watched.stop.take_word, daemon=True)
    speaker.start()
    speaker.join(0.05)
    assert speaker.is_alive()
    may_end.set()
    assert watched.next() == "left with 27"
    watched.stop._word.release()  # here the process goes on
    speaker.join(WAIT_S)


def test_words_that_fail_or_hang_keep_nobody() -> None:
    """The process ends, whether anything could be said or not."""

    def fail() -> None:
        raise OSError(5, "Input/output error")

    never = threading.Event()
    tells: list[Callable[[], object]] = [fail, lambda: never.wait(WAIT_S)]
    for tell in tells:
        assert Watched(0, tell=tell).next() == "left with 27"
    never.set()


def test_run_that_is_over_is_left_alone() -> None:
    """Called off, it neither speaks nor ends anything."""
    watched = Watched(0.05)
    watched.stop.call_off()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(WAIT_S)
    assert watched.done.empty()


def test_error_is_told_by_one_of_the_two_only() -> None:
    """Before an error is shown the word is taken, and at the end it is called off."""

    class Recorder(HardStop):
        def __init__(self) -> None:
            self.calls: list[str] = []

        def take_word(self) -> None:
            self.calls.append("take_word")

        def call_off(self) -> None:
            self.calls.append("call_off")

    process = Process(environ={}, system_file="", stdout=None, stderr=None)
    process.hard_stop = recorder = Recorder()
    assert run_guarded(["nonsense"], process) == 2
    assert recorder.calls == ["take_word", "call_off"]
