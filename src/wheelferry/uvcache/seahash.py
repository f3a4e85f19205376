"""The digest that uv derives the keys of its cache from.

Pure.  SeaHash (Ticki, 2016: <https://docs.rs/seahash>), with its default seeds, over the
UTF-8 bytes of a text and one 0xff, as little-endian hex.  Checked against the directory
names that uv 0.5.14 to 0.13.9 make for a given URL.
"""

from urllib.parse import SplitResult, quote, unquote, urlsplit

_MASK = (1 << 64) - 1
_PRIME = 0x6EED0E9DA4D94A4F
_SEEDS = (
    0x16F11FE89B0D677C,
    0xB480A793D8E6C86C,
    0x6FE2E5AAF078EBC9,
    0x14F994A4C5259381,
)
_PATH_SAFE = "/:@!$&'()*+,;=~-._"


def cache_digest(text: str) -> str:
    """Return uv's digest of a text, 16 lower-case hex digits."""
    return _seahash(text.encode() + b"\xff").to_bytes(8, "little").hex()


def index_key(url: str) -> str:
    """Return the key of an index or a direct URL: `index/<key>`, `url/<key>`.

    uv removes credentials, one trailing slash and a suffix `.git` first, and writes the
    path of github.com in lower case.
    """
    return cache_digest(canonical_url(url))


def canonical_url(url: str) -> str:
    """Return a URL in the form that uv's keys are made of."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    port = f":{parts.port}" if parts.port and not _is_default(parts) else ""
    path = quote(unquote(parts.path), safe=_PATH_SAFE)
    path = path.removesuffix("/").removesuffix(".git")
    if host == "github.com":
        path = path.lower()
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme.lower()}://{host}{port}{path or '/'}{query}{fragment}"


def _is_default(parts: SplitResult) -> bool:
    return parts.port == {"http": 80, "https": 443}.get(parts.scheme.lower())


def _seahash(data: bytes) -> int:
    lanes = list(_SEEDS)
    for start in range(0, len(data), 8):
        word = int.from_bytes(data[start : start + 8], "little")
        mixed = _diffuse(lanes.pop(0) ^ word)
        # A word cut short by the end of the data stays in the lane it was read into.
        is_whole = start + 8 <= len(data)
        lanes.insert(len(lanes) if is_whole else 0, mixed)
    first, second, third, fourth = lanes
    return _diffuse(first ^ second ^ third ^ fourth ^ len(data))


def _diffuse(word: int) -> int:
    word = word * _PRIME & _MASK
    word ^= (word >> 32) >> (word >> 60)
    return word * _PRIME & _MASK
