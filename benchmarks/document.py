"""Documents that hold what was measured, between lines that say where."""


def replace_marked(document: str, name: str, text: str) -> str:
    """Return a document with new text between its lines `begin NAME` and `end NAME`.

    Raises:
        SystemExit: It has no such lines.
    """
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    before, found_begin, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise SystemExit(f"the document has no lines {begin.strip()} and {end}")
    return f"{before}{begin}{text}{end}{after}"
