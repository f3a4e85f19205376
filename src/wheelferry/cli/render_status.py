"""What both tiers have, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from wheelferry.cli.render_left import encode_left, render_left
from wheelferry.cli.units import count, format_bytes, render_table
from wheelferry.ops.status import Status


def encode_status(status: Status) -> dict[str, object]:
    """Return the state of both tiers as JSON has it."""
    return {
        "cache": str(status.cache),
        "store": status.store,
        "store_id": status.store_id,
        "runner": status.runner,
        "segments": status.segments,
        "records": status.records,
        "packs": status.packs,
        "pack_bytes": status.pack_bytes,
        "tree_bytes": status.tree_bytes,
        "formats": [
            {
                "format": row.format_id,
                "cache": row.cache,
                "store": row.store,
                "is_pulled": row.is_pulled,
                "restored": row.restored,
                "to_promote": row.to_promote,
                "to_promote_bytes": row.to_promote_bytes,
                "to_pull": row.to_pull,
                "to_pull_bytes": row.to_pull_bytes,
            }
            for row in status.formats
        ],
        "unknown": list(status.unknown),
        "left": encode_left(status.left),
    }


def render_status(status: Status) -> str:
    """Return where the tiers are, a table by format, and what the store holds."""
    rows = [
        (
            row.format_id,
            str(row.cache),
            str(row.store),
            str(row.to_promote),
            format_bytes(row.to_promote_bytes),
            str(row.to_pull) if row.is_pulled else "not for this uv",
            format_bytes(row.to_pull_bytes),
        )
        for row in status.formats
    ]
    header = ("format", "cache", "store", "to promote", "unpacked", "to pull", "packed")
    lines = [
        f"cache  {status.cache}",
        f"store  {status.store} (id {status.store_id})",
        f"runner {status.runner}",
        "",
        render_table(rows, header=header, right=(1, 2, 3, 4, 5, 6)),
        "",
    ]
    lines += render_left(status.left)
    lines.append(
        f"the store holds {count(status.records, 'record')} in"
        f" {count(status.segments, 'segment')}, {count(status.packs, 'pack')} of"
        f" {format_bytes(status.pack_bytes)} ({format_bytes(status.tree_bytes)} unpacked)"
    )
    if status.unknown:
        lines.append(f"not known, not shared: {', '.join(status.unknown)}")
    return "\n".join(lines)
