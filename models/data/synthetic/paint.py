"""Colours and patterns of skin, hair and clothes at rest positions (linear albedo).

Evaluated at rest positions, patterns stick to the cloth while the body moves.
"""

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from .body import Body
from .geometry import Array, smoothstep
from .wardrobe import Head, Outfit

GAMMA = 2.2


@lru_cache(maxsize=256)
def _linear(code: str) -> tuple[float, float, float]:
    r, g, b = (((int(code[i : i + 2], 16)) / 255) ** GAMMA for i in (0, 2, 4))
    return r, g, b


def linear(code: str) -> Array:
    """Linear RGB [3] float32 in [0, 1] of a code like "a8242c"."""
    return np.array(_linear(code), np.float32)


def tone(light: Array) -> Array:
    """Displayed RGB in [0, 1] of linear light (>= 0): a soft shoulder, then gamma."""
    x = 1.08 * light / (1 + 0.10 * light)
    return np.asarray(np.clip(x, 0, 1) ** (1 / GAMMA), np.float32)


# Solid noise: a periodic volume of smoothed Gaussian noise, looked up by position.


SIDE = 64
CELLS_PER_UNIT = 8


@lru_cache(maxsize=2)
def _volume(smoothness: float) -> Array:
    """Unit-variance noise [64, 64, 64], periodic; the same in every process."""
    seed = round(smoothness * 10)
    raw = np.random.default_rng(seed).normal(size=(SIDE,) * 3)
    smooth = gaussian_filter(raw, smoothness, mode="wrap")
    return np.asarray(smooth / smooth.std(), np.float32)


def grain(points: Array, frequency: float, *, fine: bool = True, seed: int = 0) -> Array:
    """Noise [n] at points [n, 3] metres by the nearest cell: cheap enough for every fragment."""
    cell = np.floor(points * (frequency * CELLS_PER_UNIT) + seed * 17.3).astype(np.int32) & (SIDE - 1)
    return np.asarray(_volume(1.0 if fine else 1.6)[cell[..., 0], cell[..., 1], cell[..., 2]])


def waves(points: Array, frequency: float, *, fine: bool = True, seed: int = 0) -> Array:
    """Noise [n] at points [n, 3] metres, trilinear: smooth, for displacing meshes."""
    q = points * (frequency * CELLS_PER_UNIT) + seed * 17.3
    base = np.floor(q).astype(np.int32)
    f = (q - base).astype(np.float32)
    volume = _volume(1.0 if fine else 1.6)
    total = np.zeros(points.shape[:-1], np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, f, 1 - f), axis=-1)
        i, j, k = (np.moveaxis(base + corner, -1, 0)) & (SIDE - 1)
        total += weight * volume[i, j, k]
    return total


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


def _periodic(x: Array, period: float, share: float) -> Array:
    """Where stripes of `share` of each `period` lie."""
    return np.asarray(np.mod(x / period, 1) < share)


def top(body: Body, outfit: Outfit, rest: Array, arm: Array, edge: Array) -> Array:
    """Albedo [n, 3] for rest positions [n, 3], arm coordinates [n] and distances to the edge [n] metres."""
    x, y, z = rest.T
    base, *more = (linear(code) for code in outfit.top)
    c = np.tile(base, (len(rest), 1))
    sleeve = arm > 0.12
    along = np.where(sleeve, arm * 0.28 + 0.9, z)
    front = (y < -0.02) & ~sleeve
    neck = body.neck[2]
    match outfit.top_pattern:
        case "stripes":
            c[_periodic(along, outfit.stripe, 0.42)] = more[0]
        case "plaid":
            around = np.where(sleeve, np.arctan2(y + 0.02, z - 1.2) * 0.06, x)
            warp, weft = _periodic(along, 0.075, 0.35), _periodic(around, 0.075, 0.35)
            c[~(warp ^ weft)] = more[1]
            c[warp & weft] = more[0]
        case "raglan":
            shoulder = body.head("upperarm01.L")
            c[np.abs(x) > abs(shoulder[0]) * 0.93 - 0.25 * (z - shoulder[2])] = more[0]
        case "logo":
            radius = np.hypot(x / 0.085, (z - neck + 0.2) / 0.06)
            c[(radius < 1) & front] = more[0]
            c[(radius < 0.62) & front] = more[1]
            back = (np.abs(z - neck + 0.17) < 0.022) & (np.abs(x) < 0.13) & (y > 0.02) & ~sleeve
            c[back] = more[0]
        case "jacket":
            opening = 0.14 * np.clip((z - (neck - 0.42)) / 0.42, 0, 1)
            shirt = front & (np.abs(x) < 0.018 + opening)
            c[front & ~shirt & (np.abs(x) < 0.03 + opening)] *= 0.55
            c[shirt] = more[0]
            pocket = front & (np.abs(np.abs(x) - 0.11) < 0.04) & (np.abs(z - body.waist) < 0.006)
            c[pocket] *= 0.4
        case "band":
            c[(z < neck - 0.16) & (z > neck - 0.30) & ~sleeve] = more[0]
            c[sleeve & (arm > 0.35) & (arm < 0.75)] = more[0]
        case _:
            pass
    c[edge < 0.009] *= outfit.trim
    weave = 0.03 * grain(rest, 14, seed=1) + 0.02 * grain(rest, 2.5, fine=False, seed=5)
    return np.asarray(c * (1 + weave)[:, None])


def bottom(body: Body, outfit: Outfit, rest: Array, edge: Array, belt: Array) -> Array:
    """Albedo [n, 3] of trousers or skirt; belt [n] bool: where a belt may be."""
    x, y, z = rest.T
    base, *more = (linear(code) for code in outfit.bottom)
    c = np.tile(base, (len(rest), 1))
    match outfit.bottom_pattern:
        case "denim":
            thigh = 0.5 * np.exp(-(((z - (body.knee + body.hip) / 2) / 0.16) ** 2))
            knee = 0.3 * np.exp(-(((z - body.knee) / 0.05) ** 2))
            c *= (1 + 1.1 * (thigh + knee) * (y < 0))[:, None]
            c *= (1 + 0.14 * grain(rest * np.array([3, 3, 1], np.float32), 14, seed=2))[:, None]
        case "side":
            c[(np.abs(y) < 0.016) & (np.abs(x) > 0.10)] = more[0]
        case "hoops":
            c[_periodic(z, 0.09, 0.3)] = more[0]
        case "camo":
            patches = waves(rest, 1.4, fine=False, seed=8)
            c[patches > 0.55] = more[0]
            c[patches < -0.7] *= 0.45
        case _:
            pass
    c[belt & (z > body.waist - 0.035)] = linear(outfit.belt)
    c[edge < 0.008] *= 0.65
    return np.asarray(c * (1 + 0.06 * grain(rest, 12, seed=6))[:, None])


def shoe(body: Body, outfit: Outfit, rest: Array, edge: Array) -> Array:
    """Albedo [n, 3] with sole, laces and a rim of sock."""
    y, z = rest[:, 1], rest[:, 2]
    c = np.tile(linear(outfit.shoe), (len(rest), 1))
    c[z < 0.022] = linear(outfit.sole)
    laces = (y < body.neck[1] - 0.02) & (np.abs(np.mod(y / 0.02, 1) - 0.5) < 0.2) & (z > 0.06)
    c[laces] = linear(outfit.lace)
    c[edge < outfit.sock] = linear(outfit.sock_colour)
    return c


def stool(rest: Array) -> Array:
    """Albedo [n, 3] of the stool's wood."""
    wood = grain(rest * np.array([1, 1, 6], np.float32), 4, seed=4)
    return np.asarray(linear("6b4a2c") * (1 + 0.2 * wood)[:, None])
