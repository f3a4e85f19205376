"""The progress bar."""

from wheelferry.cli.bar import is_progress, render_bar
from wheelferry.events import Event


def progress(**fields: int) -> Event:
    """Return a progress event."""
    return Event(name="pull.progressed", message="pulling", fields=fields)


def test_bar_counts_bytes_where_it_can() -> None:
    """The bar's length follows bytes, as entries differ in size."""
    event = progress(done=1, total=4, done_bytes=3 << 20, total_bytes=4 << 20)
    assert is_progress(event)
    assert render_bar(event, 80) == (
        "pulling [##################......] 1/4, 3.0 MiB of 4.0 MiB"
    )


def test_bar_counts_entries_otherwise() -> None:
    """Without bytes the bar's length follows entries, and stays in its bounds."""
    assert render_bar(progress(done=1, total=2), 80).startswith(
        "pulling [############."
    )
    assert "[########################]" in render_bar(progress(done=9, total=2), 80)
    assert "[........................]" in render_bar(progress(done=0, total=0), 80)


def test_bar_fits_the_terminal() -> None:
    """A bar never wraps: it could not be taken away again."""
    assert len(render_bar(progress(done=1, total=2), 20)) == 19
    assert not render_bar(progress(done=1, total=2), 0)
