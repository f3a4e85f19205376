"""Reports and plots of a saved run."""

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fleet import report
from benchmarks.fleet.group import make_sites
from benchmarks.fleet.names import Scenario, Way
from benchmarks.fleet.network import Network
from benchmarks.fleet.sample import Sample, join_runs, load_run
from tests.support.jobs import in_folder, make_run

# Of the made-up run, to be quick.
FEW = [
    job
    for job in make_run()
    if job.way in {Way.FLOOR, Way.WHOLE, Way.NO_SHARING}
    and job.round == 0
    and job.scenario in {Scenario.WARM, Scenario.JOINS}
]


def save(path: Path, samples: Sequence[Sample]) -> Path:
    """Write a run, as a benchmark does."""
    document = {
        "machine": "a machine",
        "conditions": "some packages",
        "samples": [job.encode() for job in samples],
    }
    path.write_text(json.dumps(document))
    return path


def make_report(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    """Run the command line."""
    monkeypatch.setattr("sys.argv", ["report", *map(str, words)])
    report.main()


def test_saved_run_is_loaded_as_it_was(tmp_path: Path) -> None:
    """Every sample comes back."""
    run = load_run(save(tmp_path / "run.json", FEW))

    assert run.samples == FEW
    assert (run.machine, run.conditions) == ("a machine", "some packages")


def test_rounds_of_two_runs_stay_apart(tmp_path: Path) -> None:
    """The first round of the second run is not compared with that of the first."""
    run = load_run(save(tmp_path / "run.json", make_run()))

    joined = join_runs([run, run])

    assert len(joined) == 2 * len(run.samples)
    assert sorted({job.round for job in joined}) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("text", ["", "{}", '{"samples": [{"way": "rsync"}]}', "[]"])
def test_other_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "other.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"other\.json holds no samples of a fleet"):
        load_run(path)


def test_report_models_another_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--rtt-ms` its prediction follows the tables."""
    run = save(tmp_path / "run.json", FEW)

    make_report(monkeypatch, run, "--rtt-ms", "20")

    out = capsys.readouterr().out
    assert "| what must come out |" in out
    assert "### guest, RTT 1 ms, 1 Gbit/s: the model for RTT 20 ms, 1 Gbit/s" in out


def test_report_replaces_what_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between the marks of each document, and nothing around them."""
    run = save(tmp_path / "run.json", FEW)
    docs, readme = tmp_path / "docs.md", tmp_path / "README.md"
    for path, name in ((docs, "fleet"), (readme, "fleet-summary")):
        marked = f"<!-- begin {name} -->\nold\n<!-- end {name} -->"
        path.write_text(f"before\n{marked}\nafter\n")

    make_report(monkeypatch, run, run, "--tables", docs, "--summary", readme)

    text = readme.read_text()
    assert text.startswith("before\n<!-- begin fleet-summary -->\nA runner that joins")
    assert text.endswith("16 builds.\n<!-- end fleet-summary -->\nafter\n")
    out = capsys.readouterr().out
    marked = f"<!-- begin fleet -->\n{out}<!-- end fleet -->"
    assert docs.read_text() == f"before\n{marked}\nafter\n"
    assert out.startswith("a machine\n\nsome packages\n\n### guest")


def test_report_checks_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--check`, by a run on several networks; that run's own report does, too."""
    run = save(tmp_path / "run.json", FEW)
    far = [replace(job, network=Network(rtt_ms=10, mbit=1000)) for job in FEW]

    both = save(tmp_path / "both.json", [*FEW, *far])
    head = (
        "### guest, RTT 1 ms, 1 Gbit/s: the model, checked against RTT 10 ms, 1 Gbit/s"
    )

    make_report(monkeypatch, run)
    assert head not in capsys.readouterr().out
    for words in ((run, "--check", both), (both,)):
        make_report(monkeypatch, *words)
        assert capsys.readouterr().out.count(head) == 1


def test_report_refuses_to_draw_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it reads or measures anything, and says how to have it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(SystemExit):
        make_report(monkeypatch, tmp_path / "no.json", "--plots", tmp_path)

    assert "no matplotlib; `make .venv/.bench`" in capsys.readouterr().err


def test_plots_are_whole_and_the_same_each_time(tmp_path: Path) -> None:
    """PNG and SVG of each; drawn twice they have the same bytes."""
    pytest.importorskip("matplotlib", reason="no matplotlib; `make .venv/.bench`")
    from benchmarks.fleet import plots

    once = plots.draw(FEW, tmp_path / "once")
    twice = plots.draw(FEW, tmp_path / "twice")

    assert [path.name for path in once] == [
        f"fleet-{name}.{ending}"
        for name in ("new-runner", "operations", "bytes")
        for ending in ("png", "svg")
    ]
    for path, other in zip(once, twice, strict=True):
        content = path.read_bytes()
        assert content == other.read_bytes(), path.name
        if path.suffix == ".png":
            assert content.startswith(b"\x89PNG\r\n\x1a\n")
            assert content.endswith(b"IEND\xaeB`\x82")
        else:
            assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"


def test_plots_show_only_what_was_measured(tmp_path: Path) -> None:
    """Without a kernel that counts there is no plot of RPCs; without samples, none."""
    pytest.importorskip("matplotlib", reason="no matplotlib; `make .venv/.bench`")
    from benchmarks.fleet import plots

    warm = [job for job in in_folder(FEW) if job.scenario == Scenario.WARM]

    assert [path.name for path in plots.draw(warm, tmp_path / "warm")] == [
        "fleet-bytes.png",
        "fleet-bytes.svg",
    ]
    assert plots.draw([], tmp_path / "none") == []


def test_axes_are_labelled_with_what_they_have() -> None:
    """A line at 2.5 has no 2 below it."""
    pytest.importorskip("matplotlib", reason="no matplotlib; `make .venv/.bench`")
    from benchmarks.fleet import plots

    [site] = make_sites(
        [
            replace(
                FEW[0], scenario=Scenario.JOINS, way=way, before_s=seconds, sync_s=0.0
            )
            for way, seconds in ((Way.FLOOR, 1.0), (Way.RSYNC, 9.8))
        ]
    )
    figure = plots.draw_new_runner(site)
    assert figure is not None
    figure.draw_without_rendering()

    [axes] = figure.axes
    said = [float(label.get_text()) for label in axes.get_xticklabels()]
    assert said == list(axes.get_xticks())
