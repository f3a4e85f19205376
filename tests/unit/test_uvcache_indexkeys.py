"""uv's keys of URLs: the values here were seen as directory names made by real uv."""

import pytest

from wheelferry.uvcache.indexkeys import canonical_url, index_keys

BASE = "http://127.0.0.1:18765/mnt"
FILE = "w_url-1.0-py3-none-any.whl"


def test_digest_of_an_index_is_its_directory_in_uv():
    """`index/5abb261fefa03203` is what uv 0.5.14 to 0.13.9 made of this URL."""
    assert index_keys("http://127.0.0.1:18765/simple") == {"5abb261fefa03203"}


@pytest.mark.parametrize(
    "other",
    [
        "https://example.test/simple/",
        "https://user:pass@example.test/simple",
        "https://user@example.test/./x/../simple/",
        "HTTPS://EXAMPLE.test:443/simple",
    ],
)
def test_index_keys_ignores_what_names_the_same_place(other):
    """One trailing slash, credentials, dots, case of the host and default port."""
    assert index_keys(other) == index_keys("https://example.test/simple")


@pytest.mark.parametrize(
    "other",
    [
        "https://example.test/simple//",
        "https://example.test/Simple",
        "https://example.test:8443/simple",
        "http://example.test/simple",
        "https://example.test/simple?a=1",
        "https://example.test/simple#a",
    ],
)
def test_index_keys_differs_for_another_place(other):
    """A second slash, path, port, scheme, query and fragment count."""
    assert index_keys(other) != index_keys("https://example.test/simple")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        # Seen with uv 0.5.14 and 0.13.9.
        (f"{BASE}/e%2Bf/{FILE}", "c37779cc7a7c42e7"),
        (f"{BASE}/d%5B1%5D%7Cx%5Ey/./{FILE}", "1f529ffa201ca7d6"),
        (f"{BASE}/G%2C%3B%3D%40%3A%21%24%26%28%29%2A/{FILE}", "ca5c55d32ccb739e"),
        # Seen with uv 0.9.30 and 0.12.3.
        (f"{BASE}/e%2Bf/{FILE}", "284c81f178bdde58"),
        (f"{BASE}/d%5B1%5D%7Cx%5Ey/{FILE}", "4fc86eaaf88b71ad"),
        (f"{BASE}/G%2C%3B%3D%40%3A%21%24%26%28%29%2A/{FILE}", "c83f5cf74f93358f"),
    ],
)
def test_keys_are_those_of_old_and_new_uv(url, key):
    """uv 0.5.31 to 0.13.8 undo escapes that need not be there; others do not."""
    assert key in index_keys(url)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://github.com/Own/Repo.git", "https://github.com/own/repo"),
        ("https://example.test/Own/Repo.git", "https://example.test/Own/Repo"),
        ("https://example.test/r.git@v1", "https://example.test/r@v1"),
        ("https://example.test/.git", "https://example.test/.git"),
        ("https://example.test", "https://example.test/"),
        ("https://example.test/a%2Fb", "https://example.test/a%2Fb"),
        ("https://example.test/a%20b c", "https://example.test/a%20b%20c"),
        ("https://[::1]:8080/simple/", "https://[::1]:8080/simple"),
    ],
)
def test_canonical_url_is_what_uv_digests(url, canonical):
    """The rules of uv's own source, one by one."""
    assert canonical_url(url) == canonical


def test_url_without_escapes_has_one_key():
    """All versions of uv agree on it."""
    assert len(index_keys("https://example.test/simple")) == 1
