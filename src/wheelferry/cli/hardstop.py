"""The end of a run that could not end itself in time.

A deadline is kept by the code that waits for the store.  What nobody can keep there is a
call on the local disk, or a write to a pipe that nobody reads: then a thread ends the
process.  That is safe at any point, as a kill is.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from wheelferry.cli import exits
from wheelferry.cli.conclude import conclude
from wheelferry.cli.output import Form
from wheelferry.cli.session import Session
from wheelferry.disk.clock import Deadline
from wheelferry.errors import DeadlinePassed

TELL_S: Final = 0.2
"""How long the last words may take, should nobody read them."""


class HardStop:
    """A thread that ends the process at a moment, unless it is over before.

    Args:
        at: The moment.
        tell: Says that it ends; may hang, and fail.
        code: The exit code.
        leave: Ends the process.
    """

    def __init__(
        self,
        at: Deadline,
        *,
        tell: Callable[[], object],
        code: int,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._at = at
        self._tell = tell
        self._code = code
        self._leave = leave
        self._word = threading.Lock()
        self._is_ours = False
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def take_word(self) -> None:
        """Call before the run says how it ended: only one of the two may.

        Returns if it is ours to say; does not if the thread is saying it already.
        """
        if not self._is_ours:
            self._word.acquire()
            self._is_ours = True

    def call_off(self) -> None:
        """Let the run go on for as long as it takes."""
        self._over.set()

    def _watch(self) -> None:
        if self._over.wait(self._at.remaining_s()):
            return
        if self._word.acquire(blocking=False):
            teller = threading.Thread(target=self._try_to_tell, daemon=True)
            teller.start()
            teller.join(TELL_S)
        elif self._over.wait(TELL_S):  # it is about to end by itself
            return
        self._leave(self._code)

    def _try_to_tell(self) -> None:
        with suppress(Exception):  # it ends all the same
            self._tell()


def stop_at(session: Session, at: Deadline) -> None:
    """Have the run of a command that fails open ended then, if it is not over."""
    process, output = session.process, session.output

    def tell() -> None:
        error = DeadlinePassed(
            "it did not end by its deadline, and not because of the store; what was"
            " complete stays",
            hint="see what keeps this machine's disk, or the reader of this output",
        )
        conclude(session, error, is_partly_done=True)
        if not session.is_strict and output.form is not Form.TEXT:
            output.summary("", {"error": error.reference, "message": error.message})
        output.close()

    code = DeadlinePassed.exit_code if session.is_strict else exits.DONE
    process.hard_stop = HardStop(at, tell=tell, code=code)
