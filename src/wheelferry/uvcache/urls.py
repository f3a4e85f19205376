"""The URLs in a pointer's cache policy, and whether one carries something that opens a door.

Pure.  A pointer holds the URL that its file came from, in the clear, and whoever can
read the store could read it there.  Whether that does harm is a judgement on names and
looks, so it errs on the side of keeping an entry on its runner.  It cannot tell a token
that is part of a path; where an index works like that, exclude it by its URL.
"""

import re
import struct
from itertools import pairwise
from urllib.parse import unquote_plus

_AUTHORITY = re.compile(r"^[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"token|secret|signature|passw|credential|api[-_]?key|access[-_]?key|auth|session"
    r"|^(sig|key|pwd|jwt|hmac|policy|expires|se|sp|sv|sr|x-(amz|goog|ms|oss)-.*)$",
    re.IGNORECASE,
)
_OPAQUE_CHARS = 20

_WORD_BYTES = 4
"""rkyv records a string of more than 8 bytes in two words: its length, whose lowest 6
bits come first and 0b10 after them, and where it is, relative to this record."""

_MAX_URL_BYTES = 8192
_URL = re.compile(rb"https?://[!#-;=?-\[\]_a-z~%]+", re.IGNORECASE)
_SCHEME = re.compile(rb"https?://", re.IGNORECASE)


def find_urls(policy: bytes) -> tuple[str, ...]:
    """Return the URLs in a cache policy, each once.

    Strings touch each other there, so a URL's end is told by its record.  What looks
    like a URL and has no record of its own (one within a header, say) is returned too,
    and may have a tail that is not its own.
    """
    recorded = _recorded_urls(policy)
    found: dict[str, None] = {}
    for run in _URL.finditer(policy):
        starts = [match.start() for match in _SCHEME.finditer(policy, *run.span())]
        for start, end in pairwise((*starts, run.end())):
            url = recorded.get(start, policy[start:end])
            found[url.decode("utf-8", "replace")] = None
    return tuple(found)


def _recorded_urls(policy: bytes) -> dict[int, bytes]:
    """Return the strings that are URLs, by their place."""
    found: dict[int, bytes] = {}
    starts = {match.start() for match in _SCHEME.finditer(policy)}
    words = struct.unpack_from(f"<{len(policy) // _WORD_BYTES}i", policy)
    for number, (word, offset) in enumerate(pairwise(words)):
        start = number * _WORD_BYTES + offset
        if start not in starts or start in found or word & 0xC0 != 0x80:
            continue
        size_bytes = (word & 0x3F) | ((word & 0xFFFFFFFF) >> 8 << 6)
        if size_bytes <= min(len(policy) - start, _MAX_URL_BYTES) and _SCHEME.match(
            policy, start, start + size_bytes
        ):
            found[start] = policy[start : start + size_bytes]
    return found


def secret_in(url: str) -> str | None:
    """Return what kind of secret a URL seems to carry, or None.

    Credentials before the host; a query parameter with the name of a token or of a
    part of a signature; or one with a value too long to have been chosen by a person.
    """
    authority = _AUTHORITY.match(url)
    if authority and "@" in authority[1]:
        return "credentials"
    query = url.partition("#")[0].partition("?")[2]
    for parameter in filter(None, re.split("[&;]", query)):
        name, _, value = map(unquote_plus, parameter.partition("="))
        if _SECRET_NAME.search(name):
            return f"a secret in its query ({name[:_OPAQUE_CHARS]})"
        if len(value or name) >= _OPAQUE_CHARS:
            # The name may be the secret, if there is nothing else.
            shown = f" ({name[:_OPAQUE_CHARS]})" if value else ""
            return f"a long value in its query{shown}"
    return None
