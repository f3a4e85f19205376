"""The line by which a file is recognised as ours, and as unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.sealed.seal import Seal, read_seal, seal

COMMAND = "hooks install"


def test_sealed_text_is_recognised() -> None:
    """What was sealed is whole; what was changed or added later is broken."""
    text = seal("[Service]\nNice=10\n", command=COMMAND)

    assert read_seal(text) is Seal.WHOLE
    assert read_seal(text.replace("10", "11")) is Seal.BROKEN
    assert read_seal(f"{text}Nice=5\n") is Seal.BROKEN
    assert read_seal(text.splitlines()[0]) is Seal.BROKEN
    assert read_seal(text.replace("sha256", "sha1")) is Seal.BROKEN
    assert read_seal("[Service]\n") is Seal.FOREIGN
    assert read_seal("") is Seal.FOREIGN


def test_line_that_names_an_interpreter_stays_first() -> None:
    """A script can be run, and a change of that line is seen too."""
    text = seal("#!/bin/sh\nexit 0\n", command=COMMAND)

    first, line, *rest = text.splitlines()
    assert (first, rest) == ("#!/bin/sh", ["exit 0"])
    assert line.startswith("# Written by `wheelferry hooks install`; ")
    assert read_seal(text) is Seal.WHOLE
    assert read_seal(text.replace("/bin/sh", "/bin/bash")) is Seal.BROKEN


@pytest.mark.parametrize("start", ["", "#!", "#!/bin/sh\n"])
@given(st.text())
def test_seal_is_of_any_text(start: str, text: str) -> None:
    """Whatever is sealed is whole."""
    assert read_seal(seal(start + text, command=COMMAND)) is Seal.WHOLE
