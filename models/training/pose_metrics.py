"""Pose errors in mm. Every printed figure states its protocol: 17 joints, root-relative to the hip."""

import numpy as np
from numpy.typing import NDArray

Poses = NDArray[np.float64]


def mpjpe(predicted: Poses, truth: Poses) -> Poses:
    """Mean per-joint position error, no alignment. [N, 17, 3] mm twice → [N] mm."""
    distance: Poses = np.linalg.norm(predicted - truth, axis=-1).mean(-1)
    return distance


def n_mpjpe(predicted: Poses, truth: Poses) -> Poses:
    """After the best scale per pose, s = ⟨p, g⟩ / ⟨p, p⟩. [N, 17, 3] mm twice → [N] mm."""
    scale = (predicted * truth).sum((1, 2)) / (predicted * predicted).sum((1, 2))
    return mpjpe(scale[:, None, None] * predicted, truth)


def p_mpjpe(predicted: Poses, truth: Poses) -> Poses:
    """After the best similarity per pose (Procrustes), reflections excluded. [N, 17, 3] mm twice → [N] mm."""
    centre_p, centre_t = predicted.mean(1, keepdims=True), truth.mean(1, keepdims=True)
    p, t = predicted - centre_p, truth - centre_t
    u, s, vt = np.linalg.svd(np.swapaxes(p, 1, 2) @ t)
    sign = np.sign(np.linalg.det(u @ vt))
    s[:, -1] *= sign
    u[:, :, -1] *= sign[:, None]
    scale = s.sum(1) / (p * p).sum((1, 2))
    return mpjpe(scale[:, None, None] * (p @ (u @ vt)) + centre_t, truth)
