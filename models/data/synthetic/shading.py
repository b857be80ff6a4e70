"""Light on fragments: material, two lamps with a shadow map, sky-like ambient light, creases, gloss."""

from dataclasses import dataclass

import numpy as np

from . import cloth_paint, skin_paint
from .arrays import Array, dot, unit
from .colour import tone
from .figure import Figure, Material
from .lights import LAMPS, reaching
from .posed import ShadowMap

GLOSS = {Material.SKIN: 0.05, Material.EYE: 0.30, Material.HAIR: 0.07, Material.SHOE: 0.04}
SHINE = 28  # exponent of the highlight
SKY = np.array([1, 0.98, 0.95], np.float32)
BOUNCE = np.array([0.09, 0.06, 0.05], np.float32)  # warm light from the floor


@dataclass(frozen=True)
class Surface:
    """n fragments: normal, point [n, 3], attributes [n, 5] = (rest, arm, edge), material [n].

    towards [n, 3]: unit vectors to the camera; open [n] in [0, 1]: 1 where nothing near hides the light.
    """

    normal: Array
    point: Array
    attributes: Array
    material: Array
    towards: Array
    open: Array


def albedo(figure: Figure, attributes: Array, material: Array) -> tuple[Array, Array]:
    """Linear albedo [n, 3] and gloss [n] of fragments."""
    rest, arm, edge = attributes[:, :3], attributes[:, 3], attributes[:, 4]
    body, outfit, head = figure.body, figure.outfit, figure.head
    colour = np.zeros((len(rest), 3), np.float32)
    gloss = np.zeros(len(rest), np.float32)
    for kind in Material:
        here = np.nonzero(material == kind)[0]
        if not len(here):
            continue
        r, a, e = rest[here], arm[here], edge[here]
        match kind:
            case Material.SKIN:
                colour[here] = skin_paint.skin(body, head, r, a)
            case Material.EYE:
                colour[here] = skin_paint.eye(body, head, r)
            case Material.HAIR:
                colour[here] = skin_paint.hair(body, head, r, e)
            case Material.TOP:
                colour[here] = cloth_paint.top(body, outfit, r, a, e)
            case Material.TROUSERS | Material.SKIRT:
                belt = np.full(len(here), kind == Material.TROUSERS)
                colour[here] = cloth_paint.bottom(body, outfit, r, e, belt)
            case Material.SHOE:
                colour[here] = cloth_paint.shoe(body, outfit, r, e)
            case Material.PROP:
                colour[here] = cloth_paint.stool(r)
        gloss[here] = GLOSS.get(kind, 0.0)
    return colour, gloss


def shade(figure: Figure, surface: Surface, shadow: ShadowMap) -> Array:
    """Displayed colours [n, 3] in [0, 1]."""
    s = surface
    colour, gloss = albedo(figure, s.attributes, s.material)
    lit = shadow.light(s.point)
    wrap = np.where(s.material == Material.SKIN, np.float32(0.25), np.float32(0.08))
    light = np.zeros_like(colour)
    for number, lamp in enumerate(LAMPS):
        direction, strength = reaching(lamp, shadow.origin)
        direction = direction.astype(np.float32)
        facing = np.clip((s.normal @ direction + wrap) / (1 + wrap), 0, 1)
        seen = lit if number == 0 else 0.45 + 0.55 * s.open**2
        light += (facing * seen)[:, None] * strength.astype(np.float32)
        half = unit(s.towards + direction)
        highlight = np.clip(dot(s.normal, half), 0, 1) ** SHINE * gloss * (lit if number == 0 else 1)
        colour += 0.8 * highlight[:, None]
    up = (0.5 + 0.5 * s.normal[:, 2])[:, None]
    light += ((0.30 + 0.22 * up) * SKY + (1 - up) * BOUNCE) * s.open[:, None]
    return tone(colour * light)
