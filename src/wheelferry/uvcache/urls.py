"""Whether a URL carries something that opens a door.

Pure.  A pointer holds the URL that its file came from, in the clear, and whoever can
read the store could read it there.  A judgement on names and looks, so it errs on the
side of keeping an entry on its runner.
"""

import re

_AUTHORITY = re.compile(r"^[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"token|secret|signature|passw|credential|api[-_]?key|access[-_]?key|auth|session"
    r"|^(sig|key|pwd|jwt|hmac|policy|expires|se|sp|sv|sr|x-(amz|goog|ms|oss)-.*)$",
    re.IGNORECASE,
)
_OPAQUE_CHARS = 20


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
        name, _, value = parameter.partition("=")
        if _SECRET_NAME.search(name):
            return f"a secret in its query ({name})"
        if len(value or name) >= _OPAQUE_CHARS:
            return f"a long value in its query ({name[:_OPAQUE_CHARS]})"
    return None
