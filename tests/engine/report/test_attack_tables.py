"""`dpa-engine report` on run directories written by hand: which run stands where, and every average against
one worked out here."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from dpa.engine.cli.reproduce import report
from dpa.engine.report.attack_runs import read_run, role
from dpa.engine.report.attack_tables import all_tables, runs_note
from dpa.engine.report.paper import TABLE_1, TABLE_1_SUBJECTS, TABLE_4, recomputed_subject
from dpa.engine.report.renderers import headings, lines
from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.errors import IncompleteRun, NotARun
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.checkpoint import save_network

NETWORKS = {
    "nsd": ("nsd", {}),
    "drnet": ("drnet", {"drnet": {"adversarial": 0.002}}),
    "cssl": ("cssl", {"augment": "none", "swap_appearance": True}),
    "cssl-da": ("cssl", {"augment": "rgb-jitter"}),
    "nsd-no-swap": ("nsd", {"swap_appearance": False}),
    "drnet-no-adversary": ("drnet", {"drnet": {"adversarial": 0}}),
}
SUBJECTS = ("S1", "S5", "S11")


@pytest.fixture
def write_run(tmp_path: Path, tiny_sizes: NetworkConfig) -> Callable[..., Path]:
    """(target, generator, offset) → a finished run; the offset tells runs apart."""
    for name, (framework, training) in NETWORKS.items():
        save_network(DisentangledNetwork(tiny_sizes, framework), tmp_path / name, training)

    def write(target: str, generator: str, offset: float = 0.0) -> Path:
        subjects = {
            name: {
                "n": 2,
                "initial_mm": 30 + place + offset,
                "final_mm": 180 + place + offset,
                "success_rate": 1,
            }
            for place, name in enumerate(SUBJECTS)
        }
        results = {
            "target": str(tmp_path / target), "generator": str(tmp_path / generator), "n": 6, "seed": 0,
            "min_error_mm": 175.0, "max_steps": 200, "success_rate": 0.984, "mpjpe_ground_truth_mm": 50.0,
            "mpjpe_initial_mm": 31.5 + offset, "mpjpe_final_mm": 181.5 + offset,
            "iterations": {"mean": 30.0, "p50": 28.0, "p90": 60.0, "max": 90}, "per_subject": subjects,
            "image": {"ssim": 0.95, "psnr_db": 25.0 + offset, "mse": 0.01}, "throughput": {},
            "device": "cpu", "versions": {},
        }  # fmt: skip
        path = tmp_path / f"run-{target}-{generator}"
        with RunDirectory.create(path, "attack", {"source": None}) as run:
            boxes = {
                "index": [0, 1],
                "box_ssim": [0.8, 0.9],
                "box_psnr_db": [20.0, np.inf],
                "box_mse": [0.02, 0.04],
            }
            run.shard("samples.parquet", 0, {name: np.array(values) for name, values in boxes.items()})
            run.write_json("results.json", results)
        return path

    return write


def grid(tables, key):
    """A table as {row: {column: cell}}."""
    (found,) = [one for one in tables if one.key == key]
    heads = headings(found)
    return {row[0]: dict(zip(heads, row, strict=True)) for row in lines(found)}


def short(cells):
    """Columns without the temporary folder of the networks' names."""
    return {name.rsplit("/", 1)[-1]: value for name, value in cells.items()}


def test_a_table_says_which_method_made_its_figures():
    limits = {"min_error_mm": 175.0, "max_steps": 200, "n": 6}
    told = limits | {"method": {"optimiser": "polyak", "step_size": 6.0, "backend": "fused"}}
    older, newer = (SimpleNamespace(results=results, note="A note.") for results in (limits, told))
    assert "200 updates at most of polyak at 6, step back-end fused. A note." in runs_note([newer])
    assert "6 frames, above 175 mm, 200 updates at most." in runs_note([older])


def test_table_1_has_printed_recomputed_and_ours(write_run):
    runs = [
        read_run(write_run(name, name, offset)) for name, offset in (("cssl", 5), ("nsd", 0), ("drnet", 1))
    ]
    table = grid(all_tables(runs), "table1")
    assert list(table) == [
        "S1",
        "S5",
        "S6",
        "S7",
        "S8",
        "S11",
        "average, printed",
        "average, recomputed",
        "all samples",
    ]
    columns = list(short(table["S1"]))[1:]
    assert columns == ["NSD, paper", "nsd, ours", "DRNet, paper", "drnet, ours", "CSSL, paper", "cssl, ours",
                       "average, paper", "average, paper, recomputed", "average, ours"]  # fmt: skip
    first = short(table["S1"])
    assert first["NSD, paper"] == "21.0 → 179.7" and first["nsd, ours"] == "30.0 → 180.0"
    assert first["cssl, ours"] == "35.0 → 185.0" and first["average, ours"] == "32.0 → 182.0"
    assert first["average, paper"] == "21.6 → 174.2 †"
    assert (
        first["average, paper, recomputed"]
        == f"{(21 + 23.9 + 21.5) / 3:.1f} → {(179.7 + 169.7 + 176.9) / 3:.1f}"
    )
    assert short(table["S6"])["nsd, ours"] == "–" and short(table["S11"])["NSD, paper"] == "–"
    printed, again = short(table["average, printed"]), short(table["average, recomputed"])
    assert printed["CSSL, paper"] == "25.6 → 207.5 †" and again["CSSL, paper"] == "25.6 → 187.8"
    assert printed["average, paper"] == "21.8 → 176.8 †" and again["average, paper"] == "21.6 → 181.2"
    assert again["nsd, ours"] == "31.0 → 181.0" and again["average, ours"] == "33.0 → 183.0"
    assert short(table["all samples"])["drnet, ours"] == "32.5 → 182.5"


def test_the_average_column_is_the_papers():
    """One of the ten follows from its row; S5's first is cut off, not rounded; the others are the paper's
    slips, by up to 1.2 mm."""
    right = [
        (subject, part)
        for subject, cell in TABLE_1_SUBJECTS.items()
        for part in ("initial", "final")
        if abs(getattr(cell, part) - fmean(getattr(one, part) for one in TABLE_1[subject])) < 0.051
    ]
    assert right == [("S8", "initial")]
    assert recomputed_subject("S5").initial == pytest.approx(59 / 3)


def test_tables_2_and_4_show_frame_and_box(write_run):
    runs = [read_run(write_run(name, name, offset)) for name, offset in (("cssl-da", 2), ("cssl", 0))]
    tables = all_tables(runs)
    second, fourth = grid(tables, "table2"), grid(tables, "table4")
    row = short(second["PSNR ↑ (dB)"])
    assert (row["DRNet, paper"], row["cssl, frame"], row["cssl, box"]) == ("26.45", "25.00", "20.00")
    assert "cssl-da, frame" not in row
    row = short(fourth["PSNR ↑ (dB)"])
    ours = ["cssl, box", "cssl, frame"], ["cssl-da, box", "cssl-da, frame"]
    assert list(row)[1:] == ["CSSL, paper", *ours[0], "CSSL (DA), paper", *ours[1]]
    assert (row["CSSL (DA), paper"], row["cssl-da, frame"]) == ("22.9", "27.00")
    assert short(fourth["MSE ↓"])["cssl, box"] == "0.0300"
    assert TABLE_4["ssim"] == (0.943, 0.926)


def test_other_generators_make_a_matrix(write_run):
    runs = [read_run(write_run(*pair)) for pair in (("nsd", "nsd"), ("cssl", "nsd"), ("nsd", "cssl"))]
    table = {name.rsplit("/", 1)[-1]: short(row) for name, row in grid(all_tables(runs), "cross").items()}
    assert table["nsd"]["cssl"] == table["cssl"]["nsd"] == "98.4 % (31.5 → 181.5)"
    assert table["cssl"]["cssl"] == "–"
    assert "table4" not in {one.key for one in all_tables(runs)}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_network_is_its_checkpoint_says(write_run, tmp_path, name):
    found = role(str(tmp_path / name))
    assert found.framework == {"nsd": "NSD", "drnet": "DRNet", "cssl": "CSSL"}[NETWORKS[name][0]]
    assert found.augmented == (name == "cssl-da")
    assert found.plain == (name in ("nsd", "drnet", "cssl"))


def test_ablations_and_lost_networks_stand_in_the_summary_alone(write_run, tmp_path):
    run = read_run(write_run("nsd-no-swap", "nsd-no-swap"))
    (table,) = all_tables([run])
    assert lines(table)[0][4:8] == ["31.5", "181.5", "98.4 %", "28"] and table.key == "runs"
    assert role(str(tmp_path / "gone")).framework is None
    assert "synthetic" in table.note and "6 frames, above 175 mm, 200 updates at most" in table.note


def test_the_command_prints_json_markdown_and_tables(write_run):
    app = typer.Typer()
    app.command()(report)
    runs = [str(write_run("nsd", "nsd")), str(write_run("nsd", "cssl"))]
    told = json.loads(CliRunner().invoke(app, [*runs, "--json"]).stdout)
    assert [run["mpjpe_initial_mm"] for run in told["runs"]] == [31.5, 31.5]
    assert len(told["tables"]) == 4
    page = CliRunner().invoke(app, [*runs, "--markdown"]).stdout
    assert "## Table 1" in page and "| 16.8 → 178.6 |" in page
    assert "Table 2" in CliRunner().invoke(app, runs).stdout


def test_what_is_no_finished_attack_is_refused(write_run, tmp_path):
    with RunDirectory.create(tmp_path / "other", "export", {}):
        pass
    with pytest.raises(NotARun, match="no results of an attack"):
        read_run(tmp_path / "other")
    path = write_run("nsd", "nsd")
    (path / "incomplete").touch()
    with pytest.raises(IncompleteRun):
        read_run(path)
