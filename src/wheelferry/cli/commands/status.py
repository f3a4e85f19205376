"""`wheelferry status`: what is here, what is there, what is missing."""

from wheelferry.cli import exits
from wheelferry.cli.aim import find_aim
from wheelferry.cli.command import TIERS, command
from wheelferry.cli.render_daemon import encode_daemon, render_daemon
from wheelferry.cli.render_status import encode_status, render_status
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import connect, make_rules, open_tiers
from wheelferry.daemon.account import read_account
from wheelferry.disk import clock
from wheelferry.errors import StoreError
from wheelferry.ops.status import Status, read_status


@command(
    "status",
    example="wheelferry status",
    settings=(
        "uv.versions",
        "python.versions",
        *TIERS,
    ),
)
def status(session: Session) -> int:
    """Show what is in the cache, in the store, and in only one of them.

    And whether a daemon serves the cache, what it lacks, and what waits.  Asks a store
    that pull and promote leave alone because it was silent, and ends that if it answers.
    """
    output, config = session.output, session.config
    account = read_account(config.cache.state)
    daemon = encode_daemon(account)
    output.text(render_daemon(account, clock.now_s()))
    try:
        found = _read_tiers(session)
    except StoreError:
        output.document({"daemon": daemon})
        raise
    output.text(render_status(found))
    output.document({**encode_status(found), "daemon": daemon})
    return exits.DONE


def _read_tiers(session: Session) -> Status:
    config = session.config
    with (
        connect(session) as link,
        open_tiers(session, link, needs_cache=True, only_looks=True) as tiers,
    ):
        aim = find_aim(config, tiers)
        return read_status(
            tiers,
            promote_rules=make_rules(config.promote.rules, config.pull.native),
            pull_rules=make_rules(config.pull.rules, config.pull.native),
            format_ids=aim.formats,
            target=aim.target,
        )


COMMAND = status
