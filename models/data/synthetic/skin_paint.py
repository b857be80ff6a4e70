"""Colours of skin, eyes and hair at rest positions (linear albedo)."""

import numpy as np

from .arrays import Array, smoothstep
from .body import Body
from .colour import linear
from .noise import grain
from .wardrobe import Head

FLUSH = np.array([1.12, 0.86, 0.82], np.float32)  # cheeks, nose and hands against the rest of the skin


def _bump(x: Array, width: float, power: int = 2) -> Array:
    return np.asarray(np.exp(-((x / width) ** power)))


def _over(colour: Array, layer: Array, share: Array) -> Array:
    return np.asarray(colour * (1 - share[:, None]) + layer * share[:, None])


def skin(body: Body, head: Head, rest: Array, arm: Array) -> Array:
    """Albedo [n, 3] at rest positions [n, 3], arm coordinates [n]: flush, eye sockets, lips, brows, beard."""
    r = rest - body.eyes
    across, depth, up = np.abs(r[:, 0]), r[:, 1], r[:, 2]
    front = depth < 0.03
    hair = linear(head.hair)
    colour = np.tile(linear(head.skin), (len(rest), 1))
    cheeks = _bump(across - 0.042, 0.02) * _bump(up + 0.045, 0.022)
    nose = _bump(across, 0.016) * _bump(up + 0.04, 0.02)
    hands = smoothstep(arm, 1.85, 2.1)
    flush = np.clip((cheeks + nose) * front + 0.5 * hands, 0, 1)
    colour = colour * (1 + (FLUSH - 1) * flush[:, None])
    lips = 0.65 * _bump(across, 0.022, 4) * _bump(up + 0.0755, 0.0085, 4) * (depth < -0.005)
    colour = _over(colour, colour * np.array([1.0, 0.5, 0.5], np.float32), lips)
    arch = 0.0215 + 0.12 * (across - 0.03) * (across < 0.05)
    brows = head.brow * _bump(across - 0.031, 0.019, 4) * _bump(up - arch, 0.0048) * front
    colour = _over(colour, 0.8 * hair, brows)
    sockets = _bump(across - 0.031, 0.016, 4) * _bump(up, 0.010) * (depth < 0.02)
    colour *= 1 - 0.28 * sockets[:, None]
    if head.beard:
        chin = smoothstep(-up, 0.045, 0.065) * (depth < 0.075) * smoothstep(0.155 + up, 0, 0.03) * (1 - lips)
        lip = _bump(across, 0.026, 4) * _bump(up + 0.061, 0.007) * (depth < 0)
        colour = _over(colour, 1.1 * hair, head.beard * np.maximum(chin, lip))
    return np.asarray(colour * (1 + 0.05 * grain(rest, 7, fine=False))[:, None])


def eye(body: Body, head: Head, rest: Array) -> Array:
    """Albedo [n, 3] of the eyeballs: white, iris and pupil about each eye's own centre."""
    centre = np.where(rest[:, :1] > 0, body.head("eye.L"), body.head("eye.R"))
    radius = np.hypot(rest[:, 0] - centre[:, 0], rest[:, 2] - centre[:, 2])
    colour = np.tile(np.array([0.62, 0.60, 0.58], np.float32), (len(rest), 1))
    colour[radius < 0.0062] = linear(head.iris)
    colour[radius < 0.003] = 0.01
    return colour


def hair(body: Body, head: Head, rest: Array, edge: Array) -> Array:
    """Albedo [n, 3] with strands that run down from the crown and thin out to skin at the hairline.

    edge [n]: metres from the hairline.
    """
    r = rest - body.eyes - np.array([0, 0.06, 0.04], np.float32)
    around = np.arctan2(r[:, 0], r[:, 1])
    strands = grain(np.stack([around * 0.45, rest[:, 2] * 0.12, rest[:, 1] * 0.1], axis=1), 9, seed=2)
    off_crown = smoothstep(np.hypot(r[:, 0], r[:, 1]), 0.0, 0.07)
    fine = grain(rest, 30, seed=9)
    colour = linear(head.hair) * np.clip(1 + (0.24 * strands + 0.10 * fine) * off_crown, 0.35, 2)[:, None]
    return _over(linear(head.skin) * 0.9, colour, smoothstep(edge + 0.003 * strands, -0.002, 0.009))
