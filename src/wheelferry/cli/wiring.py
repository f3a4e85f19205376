"""Build what operations work with from the configuration."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelferry.cli.hardstop import stop_at
from wheelferry.cli.memory import StoreMemory
from wheelferry.cli.session import Session
from wheelferry.config.model import RulesConfig
from wheelferry.disk import Disk, clock
from wheelferry.disk.clock import Deadline
from wheelferry.errors import CacheError, CacheNotFound, WheelferryError
from wheelferry.store.base import Store, StoreInfo
from wheelferry.store.isolated import IsolatedStore

if TYPE_CHECKING:
    from wheelferry.ops.rules import Rules
    from wheelferry.ops.tiers import Tiers
    from wheelferry.store.posix import PosixStore

NEVER: Final = Deadline.never()


class Link(NamedTuple):
    """The configured store, in a process of its own; not opened yet.

    Attributes:
        store: To be opened by `open_store`.
        memory: What this runner remembers of it.
        deadline: When work with it has to be over.
    """

    store: IsolatedStore
    memory: StoreMemory
    deadline: Deadline


@contextmanager
def connect(
    session: Session,
    *,
    deadline: Deadline = NEVER,
    hard_stop: Deadline | None = None,
    skips_silent: bool = False,
    makes_state: bool = False,
    kind: "type[PosixStore] | None" = None,
) -> Iterator[Link]:
    """Start the process that works on the store; end it, and remember how it went.

    It takes its time to start: load meanwhile what comes next.

    Args:
        session: Says where the store is.
        deadline: When work with it has to be over.
        hard_stop: When the whole run has to be over, whatever it hangs in.
        skips_silent: Whether to leave a store alone that was silent a moment ago.
        makes_state: Whether the state directory may be made, to remember a silence.
        kind: Of the store, if it has to be able to do more than any.

    Raises:
        ConfigError: No store is configured.
        StoreSilent: The store is left alone.
        StoreUnavailable: There can be no such process.
    """
    config, path, disk = session.config, session.store_path(), Disk()
    memory = StoreMemory(
        path,
        config.cache,
        makes_state=makes_state,
        disk=disk,
        emit=session.output.emit,
    )
    if skips_silent:
        memory.refuse()

    def make() -> Store:
        from wheelferry.store.posix import PosixStore  # in that process only

        made = kind or PosixStore
        return made(path, disk=disk, runner=config.runner.name)

    with IsolatedStore(
        make,
        location=str(path),
        timeout_s=config.store.timeout_s,
        deadline=deadline,
    ) as store:
        if hard_stop is not None:  # a thread: the process has to be there already
            stop_at(session, hard_stop)
        try:
            yield Link(store, memory, deadline)
        except WheelferryError as exc:
            memory.settle(exc, store.longest_wait_s)
            raise
        memory.settle(None, store.longest_wait_s)


def open_store(session: Session, link: Link) -> StoreInfo:
    """Open the store: it is there, and it is the right one.

    Raises:
        StoreError: It cannot be opened.
    """
    return link.store.open(expected_id=session.config.store.id)


@contextmanager
def open_tiers(
    session: Session, link: Link, *, needs_cache: bool, only_looks: bool = False
) -> Iterator["Tiers"]:
    """Open both tiers, and close the view at the end.

    Args:
        session: Says where they are.
        link: The store.
        needs_cache: Whether there must be a cache; else it is made when it is needed.
        only_looks: Whether a state directory that is missing, or that this user may not
            write to, is done without: what only shows something leaves no trace, least
            of all one of another user.

    Raises:
        CacheNotFound: There is no cache.
        CacheError: It is no directory; the state directory cannot be made.
        StoreError: The store cannot be opened.
    """
    from wheelferry.native.machine import read_machine
    from wheelferry.ops.tiers import LIBRARIES, VIEW, Tiers
    from wheelferry.store.view import View
    from wheelferry.uvcache.owner import check_owner

    config, disk = session.config, Disk()
    info = open_store(session, link)
    check_cache(session, needs_cache=needs_cache)
    if not only_looks:
        check_owner(config.cache.path)
    state_dir = borrow_state if only_looks else _make_state
    with (
        state_dir(config.cache.state, disk) as state,
        View.open(state / VIEW, store_id=info.id, disk=disk) as view,
    ):
        yield Tiers(
            cache=config.cache.path,
            state=state,
            store=link.store,
            store_id=info.id,
            view=view,
            runner=config.runner.name,
            machine=read_machine(state / LIBRARIES, disk),
            disk=disk,
            emit=session.output.emit,
            now=clock.now_s,
            deadline=link.deadline,
        )


def check_cache(session: Session, *, needs_cache: bool) -> None:
    """Look whether the cache is a directory, or, unless it is needed, absent.

    Raises CacheNotFound, CacheError.
    """
    from wheelferry.uvcache.owner import check_reach

    path = session.config.cache.path
    check_reach(path)
    if path.is_dir():
        return
    if os.path.lexists(path):
        raise CacheError(
            f"{path} is no directory, and so no uv cache",
            hint="set cache.path (--cache) to what `uv cache dir` prints",
        )
    if needs_cache:
        raise CacheNotFound(
            f"there is no uv cache in {path}",
            hint="run this as the user of the jobs, and with their UV_CACHE_DIR, or set"
            " cache.path (--cache) to what `uv cache dir` prints in a job",
        )


@contextmanager
def _make_state(state: Path, disk: Disk) -> Iterator[Path]:
    try:
        disk.make_dirs(state)
    except OSError as exc:
        raise CacheError(
            f"cannot make the state directory {state}",
            hint="cache.state, by default beside the cache (cache.path), must be in a"
            " place that this user may write to",
        ) from exc
    yield state


@contextmanager
def borrow_state(state: Path, disk: Disk) -> Iterator[Path]:
    """Lend the state directory, or a temporary one if this user may not write to it."""
    if os.access(state, os.W_OK | os.X_OK, effective_ids=True):
        yield state
        return
    import tempfile

    temporary = Path(tempfile.mkdtemp(prefix="wheelferry-"))
    try:
        yield temporary
    finally:
        disk.remove_tree(temporary)


def make_rules(config: RulesConfig, native: str) -> "Rules":
    """Return the rules of a section of the configuration, and `pull.native`."""
    from wheelferry.native.judge import Policy
    from wheelferry.ops.rules import Rules

    rules = Rules(
        include=config.include,
        exclude=config.exclude,
        include_indexes=config.include_indexes,
        exclude_indexes=config.exclude_indexes,
        native=Policy(native),
    )
    if not config.kinds:
        return rules
    from wheelferry.uvcache.entry import Kind

    return rules._replace(kinds=tuple(map(Kind, config.kinds)))
