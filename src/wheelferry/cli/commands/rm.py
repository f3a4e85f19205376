"""`wheelferry rm`: get rid of a package, such as a compromised release."""

from contextlib import suppress

import click
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelferry.cli import exits
from wheelferry.cli.command import DRY_RUN, TIERS, command
from wheelferry.cli.session import Session
from wheelferry.cli.units import count, format_bytes, printable
from wheelferry.cli.wiring import connect, open_tiers
from wheelferry.config.load import WrongFlag
from wheelferry.ops.rm import Removed, allow, remove
from wheelferry.store.tombstones import Ban


@command(
    "rm",
    example="wheelferry rm 'acme-tool==1.4.2'",
    settings=TIERS,
    params=(
        click.Argument(["package"], metavar="PACKAGE[==VERSION]"),
        click.Option(
            ["--allow", "is_allowed"],
            is_flag=True,
            help="Let it be promoted and pulled again.",
        ),
        DRY_RUN,
    ),
)
def rm(session: Session, *, package: str, is_allowed: bool, is_dry_run: bool) -> int:
    """Remove a package from the store for good, or allow it again.

    Its packs are removed at once, without a grace, and no runner promotes or pulls it
    from its next refresh on, until `--allow`.  What is in the runners' caches stays
    there: `uv cache clean NAME` on each of them removes it.
    """
    ban = parse_ban(package)
    output = session.output
    with (
        connect(session, makes_state=not is_dry_run) as link,
        open_tiers(session, link, needs_cache=False, only_looks=is_dry_run) as tiers,
    ):
        location = tiers.store.location
        if is_allowed:
            ended = allow(tiers, ban, is_dry_run=is_dry_run)
            output.text(
                _render_allowed(package, ended, location, is_dry_run=is_dry_run)
            )
            output.document({"store": location, "package": package, "allowed": ended})
            return exits.DONE
        removed = remove(tiers, ban, is_dry_run=is_dry_run)
    output.text(_render_removed(ban, package, removed, location, is_dry_run=is_dry_run))
    output.document(
        {
            "store": location,
            "package": package,
            "packs": removed.packs,
            "pack_bytes": removed.size_bytes,
            "records": removed.records,
            "releases": list(removed.releases),
            "was_banned": removed.was_banned,
        }
    )
    return exits.DONE


def parse_ban(text: str) -> Ban:
    """Return what `NAME` or `NAME==VERSION` forbids; raises WrongFlag."""
    name, separator, version = (part.strip() for part in text.partition("=="))
    normalised = canonicalize_name(name)
    is_name = normalised.isascii() and normalised.replace("-", "").isalnum()
    if is_name and not separator:
        return Ban(normalised, "")
    with suppress(InvalidVersion):
        canonical = str(Version(version))
        if is_name:
            return Ban(normalised, canonical)
    raise WrongFlag(
        f"{text!r} is no package; give NAME or NAME==VERSION, as in acme-tool==1.4.2"
    )


def _render_removed(
    ban: Ban, package: str, removed: Removed, location: str, *, is_dry_run: bool
) -> str:
    what = (
        f"{count(removed.packs, 'pack')} of {format_bytes(removed.size_bytes)}"
        f" ({count(removed.records, 'record')}) from {location}"
    )
    names = ", ".join(removed.releases) or f"nothing of {package} is there"
    if is_dry_run:
        return printable(f"would remove {what}: {names}")
    stays = (
        "caches of runners that have it keep it, and their jobs use it: run"
        f" `uv cache clean {ban.name}` on each of them, and look for it in environments"
        " that were made with it"
    )
    forbidden = (
        f"no runner promotes or pulls {package} from its next refresh on, until"
        f" `wheelferry rm --allow '{package}'`"
    )
    return "\n".join(map(printable, (f"removed {what}: {names}", forbidden, stays)))


def _render_allowed(
    package: str, ended: int, location: str, *, is_dry_run: bool
) -> str:
    if not ended:
        return printable(
            f"{package} was not forbidden in {location}, spelled like this"
        )
    if is_dry_run:
        return printable(f"would allow {package} again in {location}")
    return printable(
        f"{package} is allowed again in {location}: it comes with the next promotion of a"
        " runner whose jobs use it"
    )


COMMAND = rm
