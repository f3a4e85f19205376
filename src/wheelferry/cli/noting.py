"""What a run that fails cost: it counts as well."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wheelferry.cli.session import Session
from wheelferry.disk import Disk, clock
from wheelferry.errors import WheelferryError
from wheelferry.ops.ledger import Run, note_run


@contextmanager
def noting_failure(
    session: Session, run: Run, sums: Mapping[str, float]
) -> Iterator[None]:
    """Note a run that ends with an error; its own report notes any other.

    Only in a state directory of this user's: root must leave nothing in another's.
    """
    try:
        yield
    except WheelferryError:
        state = session.config.cache.state
        try:
            is_ours = state.stat().st_uid == os.geteuid()
        except OSError:
            is_ours = False
        if is_ours:
            note_run(state, run, sums, now_s=clock.now_s(), disk=Disk())
        raise
