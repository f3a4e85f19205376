"""`wheelferry status`: what is here, what is there, what is missing."""

from wheelferry.cli import exits
from wheelferry.cli.command import command
from wheelferry.cli.render_status import encode_status, render_status
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import make_rules, open_tiers
from wheelferry.ops.formats import find_formats
from wheelferry.ops.status import read_status


@command(
    "status",
    example="wheelferry status",
    settings=(
        "uv.versions",
        "store.path",
        "cache.path",
        "cache.state",
        "runner.name",
    ),
)
def status(session: Session) -> int:
    """Show what is in the cache, in the store, and in only one of them."""
    config = session.config
    with open_tiers(session, needs_cache=True, only_looks=True) as tiers:
        formats = find_formats(
            tiers, versions=config.uv.versions, paths=config.uv.paths
        )
        found = read_status(
            tiers,
            promote_rules=make_rules(config.promote),
            pull_rules=make_rules(config.pull),
            format_ids=formats,
        )
    session.output.text(render_status(found))
    session.output.document(encode_status(found))
    return exits.DONE


COMMAND = status
