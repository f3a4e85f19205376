"""Build what operations work with from the configuration."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelferry.cli.session import Session
from wheelferry.config.model import RulesConfig
from wheelferry.disk import Disk, clock
from wheelferry.errors import CacheError, CacheNotFound
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import VIEW, Tiers
from wheelferry.store.base import StoreInfo
from wheelferry.store.posix import PosixStore
from wheelferry.store.view import View
from wheelferry.uvcache.owner import check_owner


def open_store(session: Session, disk: Disk) -> tuple[PosixStore, StoreInfo]:
    """Return the configured store, opened: it is there, and it is the right one."""
    config = session.config
    store = PosixStore(session.store_path(), disk=disk, runner=config.runner.name)
    return store, store.open(expected_id=config.store.id)


@contextmanager
def open_tiers(
    session: Session, *, needs_cache: bool, only_looks: bool = False
) -> Iterator[Tiers]:
    """Open both tiers, and close the view at the end.

    Args:
        session: Says where they are.
        needs_cache: Whether there must be a cache; else it is made when it is needed.
        only_looks: Whether a state directory that is missing is not made either: what
            only shows something leaves no trace, least of all one of another user.

    Raises:
        CacheNotFound: There is no cache.
        CacheError: It is no directory; the state directory cannot be made.
        StoreError: The store cannot be opened.
    """
    config, disk = session.config, Disk()
    store, info = open_store(session, disk)
    _check_cache(session, needs_cache=needs_cache)
    if not only_looks:
        check_owner(config.cache.path)
    state_dir = _borrow_state if only_looks else _make_state
    with (
        state_dir(config.cache.state, disk) as state,
        View.open(state / VIEW, store_id=info.id, disk=disk) as view,
    ):
        yield Tiers(
            cache=config.cache.path,
            state=state,
            store=store,
            store_id=info.id,
            view=view,
            runner=config.runner.name,
            disk=disk,
            emit=session.output.emit,
            now=clock.now_s,
        )


def _check_cache(session: Session, *, needs_cache: bool) -> None:
    path = session.config.cache.path
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
            hint="cache.state must be in a place that this user may write to",
        ) from exc
    yield state


@contextmanager
def _borrow_state(state: Path, disk: Disk) -> Iterator[Path]:
    if state.is_dir():
        yield state
        return
    import tempfile

    temporary = Path(tempfile.mkdtemp(prefix="wheelferry-"))
    try:
        yield temporary
    finally:
        disk.remove_tree(temporary)


def make_rules(config: RulesConfig) -> Rules:
    """Return the rules of a section of the configuration."""
    rules = Rules(
        include=config.include,
        exclude=config.exclude,
        include_indexes=config.include_indexes,
        exclude_indexes=config.exclude_indexes,
    )
    if not config.kinds:
        return rules
    from wheelferry.uvcache.entry import Kind

    return rules._replace(kinds=tuple(map(Kind, config.kinds)))
