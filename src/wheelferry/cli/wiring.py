"""Build what operations work with from the configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

from wheelferry.cli.session import Session
from wheelferry.config.model import RulesConfig
from wheelferry.disk import Disk, clock
from wheelferry.errors import CacheError
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import VIEW, Tiers
from wheelferry.store.base import StoreInfo
from wheelferry.store.posix import PosixStore
from wheelferry.store.view import View


def open_store(session: Session, disk: Disk) -> tuple[PosixStore, StoreInfo]:
    """Return the configured store, opened: it is there, and it is the right one."""
    config = session.config
    store = PosixStore(session.store_path(), disk=disk, runner=config.runner.name)
    return store, store.open(expected_id=config.store.id)


@contextmanager
def open_tiers(session: Session) -> Iterator[Tiers]:
    """Open both tiers, and close the view at the end."""
    config, disk = session.config, Disk()
    store, info = open_store(session, disk)
    state = config.cache.state
    try:
        disk.make_dirs(state)
    except OSError as exc:
        raise CacheError(
            f"cannot make the state directory {state}",
            hint="cache.state must be in a place that this user may write to",
        ) from exc
    with View.open(state / VIEW, store_id=info.id, disk=disk) as view:
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
