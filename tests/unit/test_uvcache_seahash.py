"""uv's digest: the value here was seen in a file name made by real uv."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.uvcache.seahash import cache_digest


def test_digest_of_long_tags_is_in_the_shortened_stem():
    """uv shortens the stem of a wheel with long tags to their digest."""
    platforms = "manylinux_2_17_x86_64.manylinux2014_x86_64"
    platforms += ".manylinux_2_28_x86_64.manylinux_2_5_x86_64"
    assert cache_digest(f"cp311-cp311-{platforms}") == "7d43082f450926f2"


@given(text=st.text(max_size=70))
def test_digest_is_16_hex_digits(text):
    """Texts of any length have one, the empty one too."""
    digest = cache_digest(text)
    assert len(digest) == 16
    assert set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize("size", range(33))
def test_digest_depends_on_every_byte(size):
    """Also on those of a last word that is not whole."""
    text = "a" * size
    others = [f"{text[:at]}b{text[at + 1 :]}" for at in range(size + 1)]
    assert cache_digest(text) not in map(cache_digest, others)
