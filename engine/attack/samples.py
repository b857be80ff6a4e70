"""The tables that a run writes: one row a sample, figures in one and pictures in the other."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.attack.result import AttackResult
from dpa.engine.attack.similarity import Similarity, compare_pictures, inside_box
from dpa.models.data.store import PackedStore
from dpa.models.training.pose_metrics import mpjpe

Column = NDArray[np.generic]

FROM_STORE = ("subject", "action", "sequence", "camera", "frame")
FROM_RESULT = (
    "status",
    "success",
    "iterations",
    "initial_error_mm",
    "final_error_mm",
    "forwards",
    "backwards",
    "h_a",
    "h_a0",
    "h_p0",
    "box",
    "initial_pose",
    "final_pose",
    "trace",
)


def sample_columns(result: AttackResult, store: PackedStore) -> dict[str, Column]:
    """Figures of some samples, whose `index` are frame numbers of `store`.

    Beside the fields of AttackResult and the store's columns: ground_truth_error_mm, the MPJPE of the
    initial prediction; ssim, psnr_db and mse between synthesised and adversarial frame, and the same
    inside the person's box as box_ssim, box_psnr_db and box_mse.
    """
    rows = to_numpy(result.index)
    before, after = to_pictures(result.initial_frame), to_pictures(result.adversarial_frame)
    boxes = to_numpy(result.box)
    whole = [compare_pictures(*pair) for pair in zip(before, after, strict=True)]
    inside = [
        compare_pictures(inside_box(one, box), inside_box(other, box))
        for one, other, box in zip(before, after, np.nan_to_num(boxes), strict=True)
    ]
    truth = store.poses[rows].astype(float)
    return {
        "index": rows,
        **{name: getattr(store, name)[rows] for name in FROM_STORE},
        **{name: to_numpy(getattr(result, name)) for name in FROM_RESULT},
        "ground_truth_error_mm": mpjpe(to_numpy(result.initial_pose).astype(float), truth),
        **_similarities(whole, ""),
        **_similarities(inside, "box_"),
    }


def picture_columns(result: AttackResult) -> dict[str, Column]:
    """index; synthesised, adversarial: uint8 [n, H, W, 3], the frames before and after the attack."""
    return {
        "index": to_numpy(result.index),
        "synthesised": to_pictures(result.initial_frame),
        "adversarial": to_pictures(result.adversarial_frame),
    }


def _similarities(values: list[Similarity], prefix: str) -> dict[str, Column]:
    return {
        prefix + name: np.array([getattr(v, name) for v in values]) for name in ("ssim", "psnr_db", "mse")
    }


def to_numpy(values: Tensor) -> Column:
    """A tensor from any device."""
    array: Column = values.detach().cpu().numpy()
    return array


def to_pictures(frames: Tensor) -> NDArray[np.uint8]:
    """uint8 [n, 3, H, W] → [n, H, W, 3]."""
    pictures: NDArray[np.uint8] = frames.permute(0, 2, 3, 1).cpu().numpy()
    return pictures
