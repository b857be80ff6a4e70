"""Tailoring: cuts tops, trousers, skirts and shoes out of the helper meshes by scalar fields.

A field is positive where the garment covers the body, in about metres from its edge; `cut` trims along zero.
Each layer carries "rest" [V, 3] (where patterns are evaluated), "arm" [V, 1] and "edge" [V, 1] (the field).
"""

from dataclasses import dataclass

import numpy as np

from .body import OFF_ARM, Body
from .geometry import Array, smoothstep, unit
from .mesh import Mesh, cut, smoothed, subdivided, vertex_normals
from .paint import waves
from .wardrobe import Head, Outfit

SOLE = 0.012  # metres of shoe under the bare foot


@dataclass(frozen=True)
class Pattern:
    """The three fields of one outfit on one body."""

    body: Body
    outfit: Outfit

    def top(self, points: Array, arm: Array) -> Array:
        """Inside the neckline, the sleeve ends and the hem."""
        b, o = self.body, self.outfit
        line = b.neck[2] + o.collar_up + 0.62 * (points[:, 1] - b.neck[1])
        if o.v_neck:
            front = points[:, 1] < b.neck[1]
            line = line - np.where(front, np.maximum(0, o.v_neck - 1.3 * np.abs(points[:, 0])), 0)
        hem = np.where(arm > 0.1, 1.0, points[:, 2] - (b.hip + o.hem))
        return np.asarray(np.minimum(np.minimum(0.25 * (o.sleeve - arm), line - points[:, 2]), hem))

    def bottom(self, points: Array, arm: Array) -> Array:
        """Between the waist and the trouser cuff."""
        b, cuff = self.body, self.outfit.cuff
        end = b.knee + cuff * ((b.knee - b.ankle) if cuff <= 0 else (b.hip - b.knee))
        z = points[:, 2]
        return np.where(arm > 0.1, -1.0, np.minimum(b.waist + 0.01 - z, z - end))

    def shoe(self, points: Array) -> Array:
        """Below the top of the shoe."""
        return np.asarray(self.body.ankle + self.outfit.shoe_height - points[:, 2])


def _fold_density(body: Body, points: Array, arm: Array) -> Array:
    """Where cloth folds most, [V] in about [0, 1.3]: knees, ankles, waist, elbows."""
    z = points[:, 2]
    knee = np.exp(-(((z - body.knee) / 0.09) ** 2))
    ankle = 1.2 * np.exp(-(((z - body.ankle - 0.06) / 0.06) ** 2))
    waist = np.exp(-(((z - body.waist) / 0.08) ** 2)) * (arm < 0.1)
    elbow = np.exp(-(((arm - 1) / 0.25) ** 2)) * (arm > 0.2)
    return np.asarray(np.minimum(knee + ankle + waist + elbow, 1.3))


class Tailor:
    """Makes the layers of one outfit for one body; the tights helper mesh is prepared once."""

    def __init__(self, body: Body, outfit: Outfit) -> None:
        self.body, self.outfit, self.pattern = body, outfit, Pattern(body, outfit)
        tights = subdivided(body.part("tights"))
        self.hull = smoothed(tights.position, tights.faces, 8)
        self.hull_normals = vertex_normals(self.hull, tights.faces)
        # Fields are measured on the hull, which is cut: measured on the body, hems come out ragged.
        self.arm = body.arm_coordinate(tights.with_channels(position=self.hull))
        self.tights = tights.with_channels(rest=tights.position, arm=self.arm)

    def _cloth(self, field: Array, offset: Array, seed: int) -> Mesh:
        """The smoothed body inflated by `offset` [V] metres plus folds, cut along `field` [V]."""
        p = self.hull
        folds = 0.0035 * waves(p * [1.2, 1.2, 2.2], 1.6, fine=False, seed=seed)
        folds += 0.0016 * waves(p * [1, 1, 1.6], 3.5, fine=False, seed=seed + 3)
        depth = 0.5 + 0.7 * _fold_density(self.body, p, self.arm)
        calm = 0.25 + 0.75 * smoothstep(np.abs(field), 0, 0.03)
        out = offset + folds * depth * calm
        cloth = self.tights.with_channels(
            position=p + self.hull_normals * out[:, None], rest=p, edge=field.astype(np.float32)
        )
        return cut(cloth, field)

    def top(self) -> Mesh:
        field = self.pattern.top(self.hull, self.arm)
        low = smoothstep(self.body.neck[2] - 0.12 - self.hull[:, 2], 0, 0.25)
        sleeve = self.outfit.sleeve_loose * smoothstep(self.arm, 0.05, 0.5)
        return self._cloth(field, 0.016 + self.outfit.top_loose * (0.4 + 0.6 * low) + sleeve, seed=5)

    def trousers(self) -> Mesh:
        field = self.pattern.bottom(self.hull, self.arm)
        flare = self.outfit.loose * smoothstep(self.body.hip - 0.1 - self.hull[:, 2], 0, 0.45)
        tucked = smoothstep(self.pattern.top(self.hull, self.arm), -0.005, 0.02)
        return self._cloth(field, 0.010 + flare - 0.008 * tucked, seed=11)

    def skirt(self, length: float) -> Mesh:
        """Pleated, flaring below the hip; `length` as in Outfit.skirt."""
        mesh = subdivided(self.body.part("skirt"))
        p = mesh.position
        angle = np.arctan2(p[:, 0], -p[:, 1])
        drop = smoothstep(self.body.hip - p[:, 2], -0.05, 0.5)
        out = 0.004 + 0.010 * drop + drop * (0.02 * np.sin(9 * angle) + 0.01 * np.sin(14 * angle + 1))
        end = self.body.knee + length * (self.body.hip - self.body.knee)
        field = np.minimum(p[:, 2] - end, self.body.hip - p[:, 2])
        moved = p + vertex_normals(p, mesh.faces) * out[:, None]
        arm = np.full(len(p), OFF_ARM)
        return cut(mesh.with_channels(position=moved, rest=p, arm=arm, edge=field), field)

    def shoes(self) -> Mesh:
        """A smoothed foot hull with longer toes and a flat sole, SOLE below the bare foot."""
        p = self.tights.position
        hull = smoothed(p, self.tights.faces, 3)
        field = self.pattern.shoe(hull)
        thick = np.where(p[:, 2] < 0.045, 0.011, 0.007)[:, None]
        hull = hull + vertex_normals(hull, self.tights.faces) * thick
        hull[:, 1] -= np.where(p[:, 1] < self.body.head("toe1-1.L")[1], 0.012, 0)
        hull[:, 2] = np.maximum(hull[:, 2], -SOLE)
        return cut(self.tights.with_channels(position=hull, edge=field), field)

    def covered(self, points: Array, arm: Array) -> Array:
        """How deep skin points [V, 3] lie under clothes, about metres; negative where bare."""
        depth = np.maximum(self.pattern.top(points, arm), self.pattern.shoe(points))
        if self.outfit.skirt is None:
            return np.maximum(depth, self.pattern.bottom(points, arm))
        b = self.body
        low = b.knee + (self.outfit.skirt + 0.35) * (b.hip - b.knee)
        under = (arm < 0.1) & (points[:, 2] > low) & (points[:, 2] < b.waist)
        return np.maximum(depth, np.where(under, 0.2, -1))


# Hair: a cap grown from the scalp, and hanging sheets from the helper mesh for long styles.


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
