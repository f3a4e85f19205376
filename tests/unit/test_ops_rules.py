"""Which entries may be shared: by name, kind, and where they came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.rules import Rules
from wheelferry.uvcache.entry import EntryKey, Kind
from wheelferry.uvcache.indexkeys import index_keys

INDEX = "https://wheels.example.com/simple"
FILE = "https://files.example.net/acme/acme_tool-1.0-py3-none-any.whl"


def key(shard: str, kind: Kind = Kind.REGISTRY_WHEEL) -> EntryKey:
    """Return the key of an entry in that shard."""
    return EntryKey(kind=kind, shard=shard, settings="", stem="1.0-py3-none-any")


PYPI = key("pypi/acme-tool")
PRIVATE = key(f"index/{min(index_keys(INDEX))}/acme-tool")


def test_without_rules_everything_is_shared() -> None:
    """The default admits all kinds, names and indexes."""
    rules = Rules()
    assert not rules.has_indexes
    for kind in Kind:
        assert rules.refuse(key("pypi/x", kind), "acme-tool", [FILE]) is None


@pytest.mark.parametrize(
    ("include", "exclude", "name", "is_shared"),
    [
        ([], [], "acme-tool", True),
        (["acme-*"], [], "acme-tool", True),
        (["acme-*"], [], "numpy", False),
        ([], ["acme-*"], "acme-tool", False),
        ([], ["acme-*"], "acme", True),
        (["acme-*"], ["acme-secret"], "acme-secret", False),
        (["acme-*"], ["acme-secret"], "acme-tool", True),
        (["numpy"], [], "numpy-stl", False),
        (["[ab]*"], [], "boto3", True),
    ],
)
def test_names(
    include: list[str], exclude: list[str], name: str, is_shared: bool
) -> None:
    """An exclusion wins, and a pattern is compared with all of the name."""
    rules = Rules(include=include, exclude=exclude)
    reason = rules.refuse(PYPI, name, [])
    assert (reason is None) is is_shared
    if reason:
        assert "pattern" in reason


def test_kinds() -> None:
    """A kind that is not listed is named in the reason."""
    rules = Rules(kinds=[Kind.REGISTRY_WHEEL])
    assert rules.refuse(PYPI, "x", []) is None
    reason = rules.refuse(key("git/ab/cd", Kind.GIT), "x", [])
    assert reason is not None
    assert "git" in reason


@pytest.mark.parametrize(
    ("pattern", "entry", "urls", "matches"),
    [
        ("pypi", PYPI, [], True),
        ("pypi", PRIVATE, [], False),
        (INDEX, PRIVATE, [], True),
        (f"{INDEX}/", PRIVATE, [], True),
        (INDEX, PYPI, [], False),
        (INDEX, key("index/0123456789abcdef/acme-tool"), [], False),
        ("https://files.example.net/acme", PYPI, [FILE], True),
        ("https://files.example.net/acme/", PYPI, [FILE], True),
        ("https://files.example.net/ac", PYPI, [FILE], False),
        ("https://*.example.net/*", PYPI, [FILE], True),
        ("https://*.example.org/*", PYPI, [FILE], False),
        ("https://*.example.net/*", PYPI, [], False),
        (FILE, key(f"url/{min(index_keys(FILE))}/acme-tool", Kind.URL_WHEEL), [], True),
    ],
)
def test_indexes(pattern: str, entry: EntryKey, urls: list[str], matches: bool) -> None:
    """An index is named by its URL, by its files' URLs, or as `pypi`."""
    included = Rules(include_indexes=[pattern])
    excluded = Rules(exclude_indexes=[pattern])
    assert included.has_indexes
    assert excluded.has_indexes
    assert (included.refuse(entry, "acme-tool", urls) is None) is matches
    assert (excluded.refuse(entry, "acme-tool", urls) is not None) is matches


def test_exclusion_of_an_index_wins() -> None:
    """Included by one pattern and excluded by another, it stays."""
    rules = Rules(include_indexes=["pypi"], exclude_indexes=["https://files.*"])
    assert rules.refuse(PYPI, "acme-tool", [FILE]) is not None
    assert rules.refuse(PYPI, "acme-tool", []) is None


@pytest.mark.parametrize(
    "url", [f"{FILE}?X-Amz-Signature=0123", "https://user:pw@files.example.net/a.whl"]
)
def test_url_with_a_secret_stays(url: str) -> None:
    """Whatever the patterns say, and without repeating the secret."""
    reason = Rules(include=["*"]).refuse(PYPI, "acme-tool", [FILE, url])
    assert reason is not None
    assert reason.startswith("its URL carries ")
    assert "0123" not in reason
    assert "pw" not in reason.split()


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)


@given(NAMES, st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=4))
def test_what_is_excluded_is_never_shared(
    name: str, include: list[str], exclude: list[str]
) -> None:
    """For plain names the rule is that of sets."""
    rules = Rules(include=include, exclude=exclude)
    is_shared = name not in exclude and (not include or name in include)
    assert (rules.refuse_name(name) is None) is is_shared
