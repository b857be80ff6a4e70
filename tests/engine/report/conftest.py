"""A reproduction written by hand: every figure in it is known, and no network runs."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
import pytest

from dpa.engine.report.analysis_files import save_arrays
from dpa.engine.report.figures import page_figures
from dpa.engine.report.page import write_page
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.runs.directory import RunDirectory
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import save_network

KNOWN = {
    "nsd": ("NSD", "nsd", {}, 0.0),
    "cssl": ("CSSL", "cssl", {}, 0.01),
    "cssl-da": ("CSSL (DA)", "cssl", {"augment": "rgb-jitter"}, 0.02),
    "drnet": ("DRNet", "drnet", {}, 0.03),
    "silhouette": ("silhouette", "silhouette", {}, 0.04),
    "entangled": ("entangled", "entangled", {}, 0.05),
    "oracle-swap": ("oracle-swap", "oracle-swap", {}, 0.06),
}
"""name: title, framework, training, and what is added to every figure of it."""

FEW = ("nsd", "cssl", "cssl-da")

SUMMARY = {
    "dc": 0.71, "dcor": 0.4, "dc_null_p95": 0.55, "dcor_null_p95": 0.1, "dc_p_value": 0.005,
    "iob_appearance": 0.9, "iob_pose": 1.2, "iob_appearance_spread": 0.02, "iob_pose_spread": 0.03,
    "swap_pose_shift_mm": 88.0, "channels_appearance_share": 0.5,
    "pose_code_variance_outfit": 0.1, "swap_colours_moved": 0.6, "zero_subject_variance_left": 0.3,
    "mean_subject_variance_left": 0.4, "knn_action_from_appearance": 0.35,
    "knn_action_from_appearance_low": 0.3, "knn_action_from_appearance_high": 0.4,
    "knn_action_from_appearance_chance": 0.07, "knn_subject_from_pose": 0.8,
    "knn_subject_from_pose_low": 0.7, "knn_subject_from_pose_high": 0.9,
    "knn_subject_from_pose_chance": 0.2, "counterfactual_pose_shift_mm": 61.5,
}  # fmt: skip
SUBJECTS = ("S1", "S7", "S8")
SIDE = 24


def arrays_of(name, rng):
    """What an analysis keeps for the figures, small."""

    def pictures(count):
        return rng.integers(0, 255, (count, 3, 8, 8), dtype=np.uint8)

    ks = np.arange(0, 601, 100)
    curves = [f"{what}_to_{end}" for what in ("pose", "colour") for end in "ab"]
    every = {
        "swap": {key: pictures(3) for key in ("source", "donor", "swapped")}
        | {"sources": np.array(["S7"] * 3), "donors": np.array(["S8"] * 3)},
        "zero": {key: pictures(3) for key in ("own", "zero", "mean")} | {"subjects": np.array(SUBJECTS)},
        "tsne": {
            "subject": np.array("S7"), "appearance_map": rng.normal(size=(6, 2)).astype(np.float32),
            "actions": np.array(["Eating", "Posing"] * 3), "pose_map": rng.normal(size=(6, 2)),
            "subjects": np.array(SUBJECTS * 2),
        },
        "channels": {
            "between": rng.random((2, 12)), "within": rng.random((2, 12)), "distance_mm": np.array([9.0, 8]),
            "pictures": pictures(2), "subjects": np.array(["S1", "S8"]),
        },
        "sweep": {"ks": ks, "ends": pictures(2)}
        | {f"{order}_strip": pictures(len(ks)) for order in ("lowest", "highest")}
        | {f"{order}_{curve}": rng.random(len(ks)) for order in ("lowest", "highest") for curve in curves},
        "dc": {"dc": rng.random(5) * 0.1 + 0.5, "dcor": rng.random(5) * 0.1},
        "iob": {"A": np.array([0.9]), "P": np.array([1.2])},
        "counterfactual": {
            "pictures": pictures(2), "shifts": rng.random((2, 3)), "outfits": np.array(["S1", "S8"])
        },
    }  # fmt: skip
    return every.get(name, {})


def attack_samples(rng, count=4):
    """The columns of an attack run that the page reads; every sample succeeds at its third update."""
    trace = np.full((count, 6), np.nan, dtype=np.float32)
    trace[:, :4] = (30, 90, 140, 181)
    return {
        "subject": np.array((*SUBJECTS, "S8")), "action": np.array(["Eating"] * count),
        "index": np.arange(count), "success": np.ones(count, dtype=bool),
        "iterations": np.full(count, 3), "trace": trace, "psnr_db": np.array([25.0, 26, 27, np.inf]),
        "final_error_mm": np.full(count, 181.0), "h_a": rng.normal(size=(count, 2)),
        "h_a0": np.zeros((count, 2)), "initial_pose": rng.normal(size=(count, 17, 3)) * 200,
        "final_pose": rng.normal(size=(count, 17, 3)) * 200, "box_ssim": np.full(count, 0.9),
        "box_psnr_db": np.full(count, 20.0), "box_mse": np.full(count, 0.01),
    }  # fmt: skip


def attack_results(target, generator, extra):
    """results.json of an attack run."""
    subjects = {
        name: {"n": 1, "initial_mm": 30 + extra, "final_mm": 181 + extra, "success_rate": 1.0}
        for name in SUBJECTS
    }
    return {
        "target": target, "generator": generator, "n": 4, "seed": 0, "min_error_mm": 175.0, "max_steps": 5,
        "success_rate": 1.0, "mpjpe_ground_truth_mm": 50.0, "mpjpe_initial_mm": 30.5 + extra,
        "mpjpe_final_mm": 181.25 + extra, "iterations": {"mean": 3.0, "p50": 3.0, "p90": 3.0, "max": 3},
        "survives": {"n": 4, "untreated": 1.0, "jpeg_90": 0.75, "blur_0_7": 0.5},
        "per_subject": subjects, "image": {"ssim": 0.95, "psnr_db": 25.5, "mse": 0.0125},
        "throughput": {"samples_per_s": 1.0, "sample_iterations_per_s": 3.0}, "device": "cpu", "versions": {},
    }  # fmt: skip


def snapshot_arrays(rng):
    """Two samples at four limits."""
    return {
        "steps": np.array([0, 1, 2, 3]),
        "frames": rng.integers(0, 255, (2, 4, SIDE, SIDE, 3), dtype=np.uint8),
        "poses": rng.normal(size=(2, 4, 17, 3)) * 200, "errors": np.array([[30.0, 90, 140, 181]] * 2),
        "original": rng.integers(0, 255, (2, SIDE, SIDE, 3), dtype=np.uint8),
        "before": rng.normal(size=(2, 17, 3)) * 200, "truth": rng.normal(size=(2, 17, 3)) * 200,
        "box": np.array([[0.5, 0.6, 0, 0]] * 2), "trace": attack_samples(rng)["trace"][:2],
        "iterations": np.array([3, 3]), "subject": np.array(["S1", "S7"]),
        "action": np.array(["Eating", "Posing"]),
    }  # fmt: skip


def write_stage(base, path):
    return RunDirectory.create(base / path, "reproduce", {"source": None})


def write_reproduction(base, networks, names, sizes, missing=("drnet",)):
    """A finished reproduction of the named networks in `base`; checkpoints of such sizes go to `networks`."""
    rng = np.random.default_rng(0)
    stages = []
    for name in names:
        _, framework, training, _ = KNOWN[name]
        save_network(DisentangledNetwork(sizes, framework), networks / name, training)
    for name in names:
        extra = KNOWN[name][3]
        for analysis in ReproduceConfig().analyses:
            with write_stage(base, f"stages/{name}/{analysis}") as run:
                kept = {key: value + extra for key, value in SUMMARY.items()}
                with run.writing(f"analyses/{analysis}.json") as path:
                    path.write_text(json.dumps(kept))
                with run.writing(f"arrays/{analysis}.npz") as path:
                    save_arrays(path, arrays_of(analysis, rng))
            stages.append((f"stages/{name}/{analysis}", f"dpa-engine analyze {analysis} --network {name}"))
        with write_stage(base, f"stages/{name}/predict") as run:
            run.write_json(
                "results.json", {"n": 4, "psnr_db": 28.0, "box_iou": 0.9, "mpjpe_mm": 80.0 + extra}
            )
        with write_stage(base, f"stages/{name}/snapshots") as run, run.writing("snapshots.npz") as path:
            save_arrays(path, snapshot_arrays(rng))
        stages += [
            (f"stages/{name}/predict", f"dpa-engine evaluate {name} data"),
            (f"stages/{name}/snapshots", f"dpa-engine attack --target {name}"),
        ]
        for other in names:
            with write_stage(base, f"stages/{name}/attack-by-{other}") as run:
                run.shard("samples.parquet", 0, attack_samples(rng))
                told = attack_results(str(networks / name), str(networks / other), extra)
                run.write_json("results.json", told)
                run.write_json("silhouette.json", {"n": 4, "ssim": 0.7, "psnr_db": 17.5, "mse": 0.02})
            stages.append(
                (f"stages/{name}/attack-by-{other}", f"dpa-engine attack --target {name} --generator {other}")
            )
    note = {
        "config": {
            "analyses": ReproduceConfig().analyses,
            "samples": 400, "iob": {"seeds": 1, "epochs": 1}, "attack": {"min_error_mm": 175.0},
        },
        "members": [{"name": name, "title": KNOWN[name][0], "spec": str(networks / name)} for name in names],
        "missing": [
            {"name": name, "title": {"drnet": "DRNet"}[name], "command": f"dpa-engine zoo build {name}"}
            for name in missing
        ],
        "data": {"source": "synthetic", "seed": 0, "size": [SIDE, SIDE]},
        "device": "a <processor> & more", "versions": {"python": "3"},
        "stages": [
            {"path": path, "title": path, "command": command, "seconds": 1.0} for path, command in stages
        ],
    }  # fmt: skip
    (base / "reproduction.json").write_text(json.dumps(note))


SAVED = ("fig2", "fig4", "fig8", "fig9", "progress")
"""The figures that tests save to files: saving all takes longer than a test may."""


@contextmanager
def few_figures() -> Iterator[None]:
    """Draws and saves SAVED only, at a low resolution. Not a fixture: what it changes belongs to the whole
    process, so it must not last longer than the drawing."""
    with pytest.MonkeyPatch.context() as patch, matplotlib.rc_context({"savefig.dpi": 40}):
        patch.setattr(
            "dpa.engine.report.page.page_figures",
            lambda findings: [one for one in page_figures(findings) if one[0].key in SAVED],
        )
        yield


@pytest.fixture(scope="session")
def reproduction(tmp_path_factory, tiny_sizes):
    """A reproduction of NSD, CSSL and CSSL (DA), DRNet missing, without its page."""
    base = tmp_path_factory.mktemp("whole") / "run"
    write_reproduction(base, tmp_path_factory.mktemp("networks"), FEW, tiny_sizes)
    return base


@pytest.fixture(scope="session")
def seven(tmp_path_factory, tiny_sizes):
    """The page of all seven networks, without drawings: its tables are what is looked at."""
    base = tmp_path_factory.mktemp("seven") / "run"
    write_reproduction(base, tmp_path_factory.mktemp("networks"), tuple(KNOWN), tiny_sizes, missing=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dpa.engine.report.page.page_figures", lambda findings: [])
        write_page(base)
    return base


@pytest.fixture(scope="session")
def whole(reproduction):
    """The same with its page."""
    with few_figures():
        write_page(reproduction)
    return reproduction


@pytest.fixture(scope="session")
def without_frames(reproduction, tmp_path_factory):
    """Another one with a page that shows no frame."""
    base = tmp_path_factory.mktemp("bare") / "run"
    shutil.copytree(reproduction, base)
    with few_figures():
        write_page(base, images=False)
    return base
