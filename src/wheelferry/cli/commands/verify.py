"""`wheelferry verify`: is the store sound?"""

from wheelferry.cli import exits
from wheelferry.cli.command import command
from wheelferry.cli.render_verify import encode_report, render_report
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import connect, open_store
from wheelferry.disk import clock
from wheelferry.errors import IntegrityError
from wheelferry.events import Event
from wheelferry.ops.verify import verify_store


@command(
    "verify",
    example="wheelferry verify --json | jq '.findings[].subject'",
    settings=("store.path",),
)
def verify(session: Session) -> int:
    """Check every object and every segment of the store.

    Reads all of it and changes nothing.  What looks damaged is read a second time before
    it is called so.  Exits with 30 if anything is damaged.
    """
    output, start_s = session.output, clock.monotonic_s()

    def emit(event: Event) -> None:
        if event.name != "finding.made":  # the report has them, with what to do
            output.emit(event)

    with connect(session) as link:
        store = link.store
        open_store(session, link)
        report = verify_store(store, emit)
    duration_s = clock.monotonic_s() - start_s
    output.text(render_report(report, store.location, duration_s))
    output.document(encode_report(report, store.location, duration_s))
    return exits.DONE if report.is_clean else IntegrityError.exit_code


COMMAND = verify
