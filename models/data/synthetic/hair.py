"""Hair: a cap grown from the scalp, and hanging sheets from the helper mesh for long styles."""

import numpy as np

from .arrays import Array, smoothstep, unit
from .body import OFF_ARM, Body
from .mesh import Mesh, cut, smoothed, subdivided, vertex_normals
from .noise import waves
from .wardrobe import Head

# The hairline's height above the eyes (second row, metres) by depth in front of them (first row).
LINE_AT = [-0.20, -0.13, -0.118, -0.108, -0.092, -0.082, -0.070, -0.060, -0.035, 0.0, 0.03]
LINE_Z = [0.0, 0.0, 0.012, -0.005, 0.022, 0.012, -0.022, 0.02, 0.052, 0.064, 0.085]
SHEETS = ((0, 1.0), (7, 0.975), (-7, 0.955))  # turn in degrees and scale of each hanging layer


def _hairline(head: Head, depth: Array) -> Array:
    height = np.array(LINE_Z)
    height[:3] += head.low
    height[9] += head.front
    return np.asarray(np.interp(depth, LINE_AT, height))


def cap(body: Body, head: Head) -> Mesh:
    """The scalp above the hairline, thickened by head.thickness metres, with rough tufts."""
    skin = body.part("body")
    used = np.unique(body.anatomy.faces["body"])
    index = body.anatomy.index
    on_head = skin.channels["weights"][:, [index["head"], index["neck03"], index["neck02"]]].sum(axis=1) > 0.5
    r = skin.position - body.eyes
    field = r[:, 2] - _hairline(head, -r[:, 1]) + 0.004 * waves(skin.position, 9, seed=3)
    ear = (np.abs(r[:, 0]) > 0.078) & (r[:, 2] < 0.03) & (r[:, 2] > -0.06)
    grows = on_head & ~body.anatomy.is_eye[used] & (r[:, 1] > -0.055) & ~ear
    field = np.where(grows, field, -1.0)
    hull = smoothed(skin.position, skin.faces, 2)
    volume = head.thickness * smoothstep(field, 0, 0.03) * (0.75 + 0.5 * smoothstep(r[:, 2], 0.02, 0.1))
    tufts = head.roughness * waves(skin.position, 10, seed=4) * smoothstep(field, 0, 0.02)
    out = 0.002 + volume + tufts
    grown = skin.with_channels(
        position=hull + vertex_normals(hull, skin.faces) * out[:, None],
        rest=skin.position,
        arm=np.full(len(r), OFF_ARM),
        edge=field,
    )
    return cut(grown, field)


def sheets(body: Body, long: bool) -> list[Mesh]:
    """Three two-sided hanging layers, to the shoulders or (`long`) below them."""
    mesh = body.part("hair")
    r = mesh.position - body.eyes
    end = -0.27 if long else -0.11
    side = np.abs(r[:, 0]) > 0.058
    fringe = np.where(side, r[:, 2] - max(end, -0.10) + 2.0 * np.minimum(r[:, 1], 0), r[:, 2] - 0.055)
    field = np.where(r[:, 1] > 0.055, r[:, 2] - end, fringe)
    stiff = smoothstep(r[:, 2], -0.25, -0.1)[:, None]
    clear = 0.03 * smoothstep(-r[:, 2], 0.10, 0.20) * (r[:, 1] > 0)  # hangs outside the collar
    outwards = 0.006 * unit(r - np.array([0, 0.06, 0])) + clear[:, None] * np.array([0, 1.0, 0])
    head_only = np.zeros((1, len(body.anatomy.bones)), np.float32)
    head_only[0, body.anatomy.index["head"]] = 1
    mesh = mesh.with_channels(
        rest=mesh.position,
        arm=np.full(len(r), OFF_ARM),
        edge=field,
        weights=mesh.channels["weights"] * (1 - stiff) + head_only * stiff,
        position=mesh.position + outwards,
    )
    mesh = subdivided(mesh)
    layers = []
    for degrees, scale in SHEETS:
        pivot = body.eyes + np.array([0, 0.075, 0])
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        inner = scale < 1
        moved = (mesh.position - pivot) @ turn.T * [scale, scale, 1] + pivot - [0, 0, 0.004 * inner]
        at = moved - body.eyes
        face = (at[:, 1] < 0) & (at[:, 2] < 0.05) & inner
        field = np.where(face, -1.0, mesh.channels["edge"][:, 0])
        solid = np.ones(len(field))  # sheets do not thin out to skin
        layers.append(cut(mesh.with_channels(position=moved, edge=solid), field).two_sided())
    return layers
