"""Colours and patterns of clothes, shoes and the stool at rest positions (linear albedo)."""

import numpy as np

from .arrays import Array
from .body import Body
from .colour import linear
from .noise import grain, waves
from .wardrobe import Outfit


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
