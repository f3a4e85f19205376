"""URLs in cache policies, and those that carry secrets."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.uvcache.urls import find_urls, secret_in

URL = "https://files.example.test/packages/a-1.0-py3-none-any.whl"


def recorded(text: bytes, *, behind: bytes = b"") -> bytes:
    """Return a policy with one string, another one behind it, and its record."""
    strings = text + behind
    strings += bytes(-len(strings) % 4)
    length = len(text)
    word = (length & 0x3F) | 0x80 | (length >> 6 << 8)
    return strings + struct.pack("<Ii", word, -len(strings))


@pytest.mark.parametrize("behind", [b"", b'W/"tag"', b"max-age=600", b"http://x.test/"])
@pytest.mark.parametrize("length", [40, 63, 64, 65, 127, 128, 500, 4000])
def test_url_ends_where_its_record_says(behind, length):
    """What comes behind a URL is not taken for a part of it."""
    url = (URL + "/x" * 4000)[:length].encode()
    found = find_urls(recorded(url, behind=behind))
    assert found[0] == url.decode()


def test_url_without_a_record_is_found_too():
    """A URL within a header counts, though its end is not known."""
    assert find_urls(b'\0<https://a.test/x>; rel="next"') == ("https://a.test/x",)
    assert find_urls(b"xhttp://a.test/http://b.test/") == (
        "http://a.test/",
        "http://b.test/",
    )


@given(policy=st.binary(max_size=400))
def test_any_policy_has_urls_or_none(policy):
    """Hostile bytes never raise."""
    for candidate in (policy, b"http://a.test/" + policy):
        assert all(isinstance(url, str) for url in find_urls(candidate))


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}#sha256=" + "a" * 64,
        "https://example.test/simple/?page=2&format=json",
        "http://127.0.0.1:8080/files/a.whl?v=1",
        "https://example.test/@scope/a.whl",
    ],
)
def test_plain_urls_carry_nothing(url):
    """What a person may have written is shared."""
    assert secret_in(url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://user:pw@example.test/a.whl", "credentials"),
        ("https://token@example.test/a.whl", "credentials"),
        (f"{URL}?token=x", "token"),
        (f"{URL}?private_token=x", "private_token"),
        (f"{URL}?%74oken=x", "token"),
        (f"{URL}?a=1&sig=x", "sig"),
        (f"{URL}?a=1;Signature=x", "Signature"),
        (f"{URL}?X-Amz-Credential=x", "X-Amz-Credential"),
        (f"{URL}?se=2026-01-01&sp=r", "se"),
        (f"{URL}?apikey=x", "apikey"),
        (f"{URL}?password=x", "password"),
        (f"{URL}?id=abcdefghijklmnopqrst", "a long value"),
        (f"{URL}?abcdefghijklmnopqrst", "a long value"),
    ],
)
def test_url_with_a_secret_is_told(url, reason):
    """Credentials, signatures and what looks like a token: the reason names it."""
    found = secret_in(url)
    assert found is not None
    assert reason in found


def test_reason_does_not_tell_the_secret():
    """A reason goes into logs, so it never has the value in it."""
    for query in ("token=hunter2hunter2hunter2", "hunter2hunter2hunter2hunter2"):
        assert "hunter2" not in str(secret_in(f"{URL}?{query}"))
