"""The digest that uv derives the keys of its cache from.

Pure.  SeaHash (Ticki, 2016: <https://docs.rs/seahash>), with its default seeds, over the
UTF-8 bytes of a text and one 0xff, as little-endian hex.  Checked against the directory
names that uv 0.5.14 to 0.13.9 make for a given URL.
"""

_MASK = (1 << 64) - 1
_PRIME = 0x6EED0E9DA4D94A4F
_SEEDS = (
    0x16F11FE89B0D677C,
    0xB480A793D8E6C86C,
    0x6FE2E5AAF078EBC9,
    0x14F994A4C5259381,
)


def cache_digest(text: str) -> str:
    """Return uv's digest of a text, 16 lower-case hex digits."""
    return _seahash(text.encode() + b"\xff").to_bytes(8, "little").hex()


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
