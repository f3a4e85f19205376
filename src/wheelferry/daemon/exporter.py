"""Where the daemon's figures can be scraped: a port of the loopback."""

import errno
import selectors
from functools import partial
from typing import Final

from wheelferry.daemon.http1 import BUSY, Answer, Head, encode_answer, parse_head
from wheelferry.daemon.listener import LOOPBACK, listen_on_port
from wheelferry.daemon.metrics import answer_scrape
from wheelferry.daemon.report import Reporter
from wheelferry.daemon.server import Client, Place, Server

EXPORTER: Final = "metrics"

_HINTS: Final = {
    errno.EADDRINUSE: (
        "another program has that port, as `ss -ltnp` shows; give each daemon of this"
        " host a daemon.metrics_port of its own"
    ),
    errno.EACCES: "this user may not have that port: set one of 1024 or more",
}
_HINT: Final = (
    "under systemd the service may have no port but the one that was set when it was"
    " installed: run `wheelferry systemd install` again"
)


def explain(error: OSError) -> str:
    """Return what can be done where a port cannot be had."""
    return _HINTS.get(error.errno or 0, _HINT)


def make_exporter(
    port: int, *, selector: selectors.BaseSelector, reporter: Reporter
) -> Server[Head | Answer]:
    """Return what listens on a port, and answers whoever scrapes it.

    Args:
        port: Of the loopback.
        selector: Calls a function for each descriptor that can be read.
        reporter: Asked how the daemon goes; told if the port cannot be had.
    """

    def take(client: Client, asked: Head | Answer, now: float) -> None:
        del now
        server.answer(client, answer_scrape(asked, reporter.account))

    server: Server[Head | Answer] = Server(
        Place(
            name=EXPORTER,
            address=f"{LOOPBACK}:{port}",
            listen=partial(listen_on_port, port),
            hint=explain,
        ),
        parse=parse_head,
        take=take,
        busy=encode_answer(Answer(BUSY, "too many ask at once")),
        selector=selector,
        reporter=reporter,
    )
    return server
