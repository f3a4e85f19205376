"""Tell the service manager how it goes: systemd's notification protocol.

Datagrams of `NAME=value` lines to the socket that $NOTIFY_SOCKET names; see sd_notify(3).
"""

import socket
from contextlib import suppress
from typing import Final

from wheelferry.disk import clock

MAX_STATUS: Final = 300
"""Characters of a status line; it is one line of `systemctl status`."""


class Notifier:
    """Talks to the service manager, if there is one; nothing that it does can fail.

    Args:
        address: Of its socket: a path, or `@` and an abstract name; "" for none.
    """

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._status = ""

    def ready(self, status: str) -> None:
        """Say that it works, after the start or a reload."""
        self._status = _one_line(status)
        self._send("READY=1", f"STATUS={self._status}")

    def say(self, status: str) -> None:
        """Say what it does or lacks now, if that is not what was said before."""
        line = _one_line(status)
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def is_alive(self) -> None:
        """Answer the watchdog."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that the configuration is read again; `ready` says that it is done."""
        now_us = int(clock.monotonic_s() * 1_000_000)
        self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """Say that it ends."""
        self._send("STOPPING=1", "STATUS=stopping")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_manager,
        ):
            to_manager.settimeout(1.0)
            to_manager.connect(self._address)
            to_manager.send("\n".join(lines).encode())


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_STATUS]
