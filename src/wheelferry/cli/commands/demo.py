"""`wheelferry demo`: the main job, with real uv, in a temporary folder."""

import click

from wheelferry.cli import exits
from wheelferry.cli.command import command
from wheelferry.cli.session import Session
from wheelferry.cli.units import count, format_bytes, format_seconds, render_table
from wheelferry.config.environment import read_environ
from wheelferry.ops.demo import DemoReport, run_demo


@command(
    "demo",
    example="wheelferry demo",
    settings=(),
    params=(
        click.Option(
            ["--keep", "is_kept"],
            is_flag=True,
            help="Leave the temporary folder, to look around in it.",
        ),
    ),
)
def demo(session: Session, *, is_kept: bool) -> int:
    """Show the main job on two runners in a temporary folder.

    Runner A installs from the index and promotes; runner B, with an empty cache, pulls,
    and then installs without any network.  Needs uv; touches no cache and no store of
    yours.
    """
    report = run_demo(
        environ=read_environ(),
        uv_paths=session.config.uv.paths,
        is_kept=is_kept,
        emit=session.output.emit,
    )
    session.output.text(_render(report))
    session.output.document(_encode(report))
    return exits.DONE


def _encode(report: DemoReport) -> dict[str, object]:
    return {
        "uv": report.uv,
        "index": report.index,
        "folder": str(report.folder) if report.folder else None,
        "runners": [
            {
                "name": row.name,
                "source": row.source,
                "bytes": row.transfer_bytes,
                "duration_s": round(row.duration_s, 3),
                "builds": row.builds,
            }
            for row in report.runners
        ],
        "builds_avoided": report.builds_avoided,
        "files": report.files,
        "files_linked": report.files_linked,
    }


def _render(report: DemoReport) -> str:
    rows = [
        (
            row.name,
            row.source,
            "unknown"
            if row.transfer_bytes is None
            else format_bytes(row.transfer_bytes),
            format_seconds(row.duration_s),
            str(row.builds),
        )
        for row in report.runners
    ]
    header = ("runner", "from", "over the network", "time", "builds")
    lines = [
        f"uv {report.uv}, packages from {report.index}",
        render_table(rows, header=header, right=(2, 3, 4)),
    ]
    lines.append(
        f"{count(report.builds_avoided, 'build')} avoided;"
        f" {report.files_linked} of {count(report.files, 'file')} of B's environment are"
        " hardlinks into its cache"
    )
    if report.folder:
        lines.append(f"kept in {report.folder}")
    return "\n".join(lines)


COMMAND = demo
