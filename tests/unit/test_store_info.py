"""`wheelferry.json`, made and read back."""

import json
import sys

import pytest

from wheelferry.errors import StoreFormatUnsupported, StoreNotInitialised
from wheelferry.store.base import StoreInfo
from wheelferry.store.info import decode_info, encode_info

INFO = StoreInfo(id="0" * 32, format_version=1, created="2026-11-24T10:00:00+00:00")
ENCODED = encode_info(INFO)
VALUE = json.loads(encode_info(INFO))


def test_info_decodes_to_what_was_encoded():
    """What init writes, open reads."""
    assert decode_info(encode_info(INFO), location="/s") == INFO


def test_info_ignores_unknown_keys():
    """A later version of one format may add keys."""
    data = json.dumps(VALUE | {"owner": "ci"}).encode()

    assert decode_info(data, location="/s") == INFO


def test_info_of_a_newer_format_says_so_whatever_else_it_holds():
    """The format is looked at first: all other keys may have changed."""
    with pytest.raises(StoreFormatUnsupported, match="format 2"):
        decode_info(b'{"format": 2}', location="/s")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 5000,
        b"\xff",
        b"{}",
        b" " * 70_000,
        json.dumps(VALUE | {"format": "1"}).encode(),
        json.dumps(VALUE | {"format": True}).encode(),
        json.dumps(VALUE | {"format": 0}).encode(),
        json.dumps(VALUE | {"id": "../x"}).encode(),
        json.dumps(VALUE | {"id": 5}).encode(),
        json.dumps(VALUE | {"created": None}).encode(),
        json.dumps(VALUE | {"created": "x" * 65}).encode(),
    ],
)
def test_damaged_info_is_no_store(data):
    """The message says which file is damaged."""
    with pytest.raises(StoreNotInitialised, match=r"wheelferry\.json in /s"):
        decode_info(data, location="/s")


def test_own_file_is_read_without_json(monkeypatch):
    """A pull runs before each job, and need not load json for four values."""
    monkeypatch.setitem(sys.modules, "json", None)

    assert decode_info(ENCODED, location="/s") == INFO
    with pytest.raises(ImportError):
        decode_info(ENCODED + b" ", location="/s")
