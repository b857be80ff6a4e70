"""The attack's page and figures: what stands in them, and that figures show what they were given."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dpa.engine.attack.summary import data_note
from dpa.engine.drawing.grid import around
from dpa.engine.drawing.samples import ShownSample, error_curves, sample_grid
from dpa.engine.drawing.skeleton import PARENTS, project
from dpa.engine.intervals import mean_interval
from dpa.engine.report.attack_report import attack_markdown, compare_person, shown_rows
from dpa.engine.report.attack_runs import AttackRun, Role, bone_ratio, measured
from dpa.engine.report.findings import SNAPSHOTS
from dpa.engine.report.paper import TABLE_1_AVERAGES, recomputed_average, recomputed_overall
from dpa.engine.report.viewer import viewer_data

RESULTS = {
    "target": "zoo:nsd",
    "generator": "zoo:drnet",
    "n": 3,
    "seed": 0,
    "min_error_mm": 175.0,
    "max_steps": 200,
    "success_rate": 2 / 3,
    "mpjpe_ground_truth_mm": 61.2,
    "mpjpe_initial_mm": 33.3,
    "mpjpe_final_mm": None,
    "iterations": {"mean": 40.0, "p50": 33.0, "p90": 81.0, "max": 200},
    "per_subject": {
        "S1": {"n": 2, "initial_mm": 31.4, "final_mm": 178.9, "success_rate": 1.0},
        "S11": {"n": 1, "initial_mm": 37.1, "final_mm": None, "success_rate": 0.0},
    },
    "image": {"ssim": 0.951, "psnr_db": None, "mse": 0.0012},
    "throughput": {"samples_per_s": 3.0, "sample_iterations_per_s": 120.0},
    "method": {"optimiser": "polyak", "step_size": 6.0, "backend": "fused"},
    "device": "a processor",
    "versions": {"python": "3", "torch": "2"},
}
IN_BOX = {"ssim": 0.9, "psnr_db": 26.1, "mse": 0.004}


def page_of(results=RESULTS, source="synthetic", already=0):
    roles = Role("zoo:nsd", "NSD"), Role("zoo:drnet", "DRNet")
    told = {**results, "similarity": {"box": IN_BOX, "frame": results["image"]}}
    run = AttackRun(Path("run"), told, {}, "", data_note(source), *roles)
    return attack_markdown(run, "3 frames", already)


@pytest.fixture
def page():
    return page_of()


def cells(page, first, table=0):
    """The row that begins with `first` in the page's tables that have one, by heading."""
    parts, heads = [], []
    for line in page.splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = row
        elif row[0] == first:
            parts.append(dict(zip(heads, row, strict=True)))
    return parts[table]


def test_the_page_holds_the_papers_table_1_beside_ours(page):
    assert list(cells(page, "S1").values()) == ["S1", "31.4", "178.9", "100.0 %", "2"]
    both = cells(page, "S1", table=1)
    assert both["zoo:nsd, ours"] == "31.4 → 178.9" and both["NSD, paper"] == "21.0 → 179.7"
    assert both["DRNet, paper"] == "23.9 → 169.7" and both["CSSL, paper"] == "21.5 → 176.9"
    assert cells(page, "S11", table=1)["zoo:nsd, ours"] == "37.1 → –"
    assert cells(page, "S8")["zoo:nsd, ours"] == "–"  # the paper alone has it


def test_printed_and_recomputed_averages_are_both_there(page):
    printed, again = cells(page, "average, printed"), cells(page, "average, recomputed")
    names = [f"{name}, paper" for name in ("NSD", "DRNet", "CSSL")]
    assert [printed[name] for name in names] == ["19.7 → 179.5", "20.2 → 177.5 †", "25.6 → 207.5 †"]
    assert [again[name] for name in names] == ["19.7 → 179.5", "20.2 → 178.1", "25.6 → 187.8"]


def test_the_page_holds_the_papers_table_2(page):
    row = cells(page, "PSNR ↑ (dB)")
    assert (row["zoo:nsd, frame"], row["zoo:nsd, box"]) == ("–", "26.10")
    assert (row["NSD, paper"], row["DRNet, paper"], row["CSSL, paper"]) == ("24.65", "26.45", "24.37")
    assert cells(page, "SSIM ↑")["zoo:nsd, frame"] == "0.951"


def test_the_page_says_what_the_data_and_the_protocol_are(page):
    assert "synthetic" in page
    assert "do not reproduce the paper's Human3.6M figures" in page
    assert "17 joints, root-relative to the hip, no alignment" in page


def test_successes_that_needed_no_attack_are_told_apart(page):
    assert "before any update" not in page
    assert "(2 of them before any update)" in page_of(source="h36m", already=2)


def test_without_true_poses_the_page_does_not_speak_of_them(page):
    assert "which is 61.2 mm from the true pose." in page
    films = RESULTS | {"mpjpe_ground_truth_mm": None}
    without = page_of(films, "video")
    assert "which cannot be compared with a true pose: these data hold none." in without


def test_the_viewer_has_a_true_pose_only_where_there_is_one():
    pose = np.ones((2, 17, 3))
    snapshots = {
        "original": np.zeros((2, 8, 8, 3), np.uint8), "steps": np.array([0, 4]),
        "iterations": np.array([4, 4]), "poses": np.ones((2, 2, 17, 3)),
        "errors": np.ones((2, 2)), "before": pose, "trace": np.ones((2, 5)),
        "truth": np.stack([7 * pose[0], np.full((17, 3), np.nan)]),
        "subject": np.array(["S1", "film"]), "action": np.array(["Walking", "film"]),
    }  # fmt: skip
    findings = SimpleNamespace(
        note={"config": {"attack": {"min_error_mm": 175}}},
        networks=[SimpleNamespace(title="a network", arrays={SNAPSHOTS: snapshots})],
    )
    known, unknown = viewer_data(findings, images=False)["networks"][0]["samples"]
    assert known["truth"] == [[7, 7, 7]] * 17 and unknown["truth"] is None
    assert unknown["before"] == [[1, 1, 1]] * 17


def test_the_page_says_the_method(page):
    assert "- method: polyak at 6, step back-end fused" in page


def test_real_people_are_not_called_synthetic():
    page = page_of(source="h36m")
    assert "synthetic" not in page
    assert "compare with the paper's only as far as" in page


def test_the_papers_slips_are_where_facts_has_them():
    assert recomputed_average("CSSL").final == pytest.approx(187.8, abs=0.05)
    assert TABLE_1_AVERAGES[2].final == 207.5
    assert recomputed_average("DRNet").final == pytest.approx(178.1, abs=0.05)
    assert recomputed_average("NSD").initial == pytest.approx(TABLE_1_AVERAGES[0].initial, abs=0.05)
    assert recomputed_overall().final == pytest.approx((179.46 + 178.14 + 187.76) / 3, abs=0.01)


def test_the_grid_shows_the_median_success_of_each_subject():
    samples = {
        "subject": np.array(["S11", "S1", "S1", "S1", "S1"]),
        "success": np.array([False, True, True, True, False]),
        "psnr_db": np.array([30.0, 27.0, 22.0, 25.0, 10.0]),
        "final_error_mm": np.array([100.0, 180, 180, 180, 90]),
    }
    assert shown_rows(samples) == [3, 0]


def test_the_grid_shows_the_pictures_it_is_given(tmp_path):
    """Each of three rows of pictures is filled with its own colour."""
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250)]
    red, green, blue = (np.full((20, 20, 3), colour, np.uint8) for colour in colours)
    pose = np.random.default_rng(0).normal(0, 300, (17, 3))
    shown = [ShownSample(f"S{i}", red, green, blue, pose, -pose, 180, 25) for i in range(2)]
    sample_grid(shown, tmp_path / "grid.png")
    picture = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB")).astype(int)
    heights = [np.nonzero((np.abs(picture - colour) < 30).all(-1))[0].mean() for colour in colours]
    assert heights == sorted(heights)
    shares = [(np.abs(picture - colour) < 30).all(-1).mean() for colour in colours]
    np.testing.assert_allclose(shares, shares[0], rtol=0.05)
    assert shares[0] > 0.1


def test_error_curves_take_traces_of_any_length(tmp_path):
    traces = [np.array([30, 200], np.float32), np.array([40], np.float32), np.zeros(0, np.float32)]
    error_curves(traces, 175, tmp_path / "curves.png")
    error_curves([], 175, tmp_path / "none.png")
    assert Image.open(tmp_path / "curves.png").size == Image.open(tmp_path / "none.png").size


@pytest.mark.parametrize("box", [(0.3, 0.5, 0.2, -0.1), (0.9, 0.9, 0.8, 0.8), (1.0, 1.0, 0.0, 0.0)])
def test_a_cut_is_square_and_holds_the_visible_box(box):
    height, width = 60, 80
    place = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    marked = np.concatenate([place, place[..., :1]], axis=-1).astype(np.uint8)
    cut = around(marked, np.array(box))
    assert cut.shape[0] == cut.shape[1]
    left, right = ((np.array([-1, 1]) * box[0] + box[2] + 1) / 2 * width).clip(0, width)
    if box[0] * width <= min(height, width):
        assert cut[..., 0].min() <= left + 1
        assert cut[..., 0].max() >= min(right, width) - 2


def test_up_in_the_world_is_up_in_the_drawing():
    head, foot, far = project(np.array([[0.0, -600, 0], [0, 900, 0], [0, 0, 500]]))
    assert head[1] > 0 > foot[1]
    assert far[1] > 0
    assert all(parent < joint for joint, parent in enumerate(PARENTS))


def test_bones_that_grow_are_seen():
    pose = np.random.default_rng(0).normal(size=(3, 17, 3)) * 200
    moved = pose.copy()
    moved[1] *= 10
    moved[2] = pose[2] @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])  # turned, which is no longer bone
    np.testing.assert_allclose(bone_ratio(pose, moved), [1, 10, 1])


def test_a_silhouette_leaves_out_what_no_attack_can_change():
    rng = np.random.default_rng(0)
    before = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    person = np.zeros((24, 24), dtype=bool)
    person[8:16, 8:16] = True
    after = np.where(person[..., None], 255 - before, before).astype(np.uint8)
    inside = compare_person(person, before, after)
    change = ((before[person] / 255 - after[person] / 255) ** 2).mean()
    assert inside["mse"] == pytest.approx(change)
    assert inside["psnr_db"] == pytest.approx(-10 * np.log10(change))
    assert compare_person(person, before, before) == {"ssim": 1.0, "psnr_db": np.inf, "mse": 0.0}
    assert inside["mse"] > 5 * ((before / 255 - after / 255) ** 2).mean()


def test_samples_tell_intervals_medians_and_bones():
    clips = np.repeat(np.arange(20), 2)
    errors = clips * 10.0
    samples = {
        "sequence": clips, "subject": np.array(["S1"] * 40), "success": errors > 100,
        "initial_error_mm": errors, "final_error_mm": errors + 1, "ssim": errors, "psnr_db": errors,
        "mse": errors, "initial_pose": np.ones((40, 17, 3)) * np.arange(17)[:, None],
        "final_pose": np.ones((40, 17, 3)) * 2 * np.arange(17)[:, None],
    }  # fmt: skip
    told = measured({**RESULTS, "per_subject": {"S1": {"n": 40}}}, samples, {})
    low, high = mean_interval(errors, clips)
    assert (told["mpjpe_initial_mm_low"], told["mpjpe_initial_mm_high"]) == (low, high)
    assert told["mpjpe_final_mm_median"] == np.median(errors) + 1
    assert told["bones_final"] == pytest.approx(2) and told["per_subject"]["S1"]["initial_mm_low"] == low
    assert told["image"]["psnr_db_low"] == low and list(told["similarity"]) == ["frame"]
