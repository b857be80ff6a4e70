"""Pictures of one moment: rasterises each view's window around the person and lays it over the plate."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from . import paint
from .cameras import Plate, View, views
from .figure import FLOOR_WIDTH, Figure, FloorShadow, Material, Posed, ShadowMap, floor_shadow, shadow_map
from .geometry import Array, dot, unit
from .mesh import Fragments, rasterise
from .paint import tone
from .room import Light, reaching

# Light on fragments: material, two lamps with a shadow map, sky-like ambient light, creases, gloss.


GLOSS = {Material.SKIN: 0.05, Material.EYE: 0.30, Material.HAIR: 0.07, Material.SHOE: 0.04}
SHINE = 28  # exponent of the highlight
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
                colour[here] = paint.skin(body, head, r, a)
            case Material.EYE:
                colour[here] = paint.eye(body, head, r)
            case Material.HAIR:
                colour[here] = paint.hair(body, head, r, e)
            case Material.TOP:
                colour[here] = paint.top(body, outfit, r, a, e)
            case Material.TROUSERS | Material.SKIRT:
                belt = np.full(len(here), kind == Material.TROUSERS)
                colour[here] = paint.bottom(body, outfit, r, e, belt)
            case Material.SHOE:
                colour[here] = paint.shoe(body, outfit, r, e)
            case Material.PROP:
                colour[here] = paint.stool(r)
        gloss[here] = GLOSS.get(kind, 0.0)
    return colour, gloss


def shade(figure: Figure, surface: Surface, shadow: ShadowMap, falling: Light) -> Array:
    """Displayed colours [n, 3] in [0, 1]."""
    s = surface
    colour, gloss = albedo(figure, s.attributes, s.material)
    lit = shadow.light(s.point)
    wrap = np.where(s.material == Material.SKIN, np.float32(0.25), np.float32(0.08))
    light = np.zeros_like(colour)
    for number, lamp in enumerate(falling.lamps):
        direction, strength = reaching(lamp, shadow.origin)
        direction = direction.astype(np.float32)
        facing = np.clip((s.normal @ direction + wrap) / (1 + wrap), 0, 1)
        seen = lit if number == 0 else 0.45 + 0.55 * s.open**2
        light += (facing * seen)[:, None] * strength.astype(np.float32)
        half = unit(s.towards + direction)
        highlight = np.clip(dot(s.normal, half), 0, 1) ** SHINE * gloss * (lit if number == 0 else 1)
        colour += 0.8 * highlight[:, None]
    up = (0.5 + 0.5 * s.normal[:, 2])[:, None]
    light += ((0.30 + 0.22 * up) * falling.sky + (1 - up) * BOUNCE) * s.open[:, None]
    return tone(colour * light)


CREASE = 0.037  # metres: the radius within which nearer surfaces darken a point
CREASE_DEPTH = 0.10  # metres behind its surroundings at which a point is darkest
NOISE = 1.6 / 255  # the sensor's standard deviation
REACH = FLOOR_WIDTH / 2 - 0.04  # metres from a person at which its shadow is looked for
NOISE_SPARE = 140  # the noise tile is this much larger than a frame, for random offsets


@dataclass(frozen=True)
class Stage:
    """One camera's fixed things: its plate and the floor under its pixels.

    floor_pixel [m] flat indices of pixels that show floor, floor_at [m, 2] metres, floor_share [m].
    """

    view: View
    plate: Plate
    floor_pixel: Array
    floor_at: Array
    floor_share: Array

    @classmethod
    def of(cls, view: View, plate: Plate) -> "Stage":
        pixel = np.nonzero(plate.floor.ravel() > 0)[0]
        row, column = np.divmod(pixel, view.size)
        rays = view.rays(column + 0.5, row + 0.5)
        distance = -view.centre[2] / np.minimum(rays[:, 2], -1e-3)
        at = (view.centre + rays * distance[:, None])[:, :2].astype(np.float32)
        return cls(view, plate, pixel, at, plate.floor.ravel()[pixel])

    def cropped(self, box: Array, size: int) -> "Stage":
        """The camera's square box θ on size x size pixels."""
        return Stage.of(self.view.cropped(box, size), self.plate.cropped(box, size))


def stages(plates: Sequence[Plate], zoom: float = 1.0) -> tuple[Stage, ...]:
    """All cameras' stages for their plates; frames get the plates' size. zoom: as in `views`."""
    seen_by = views(len(plates[0].image), zoom)
    return tuple(Stage.of(view, plate) for view, plate in zip(seen_by, plates, strict=True))


@lru_cache(maxsize=4)
def _noise(size: int) -> Array:
    side = size + NOISE_SPARE
    return np.random.default_rng(5).normal(0, NOISE, (side, side, 3)).astype(np.float32)


@dataclass(frozen=True)
class Window:
    """The part of a frame that holds the person, in pixels, with samples x samples fragments in each."""

    left: int
    top: int
    width: int
    height: int
    samples: int

    @classmethod
    def around(cls, u: Array, v: Array, size: int, samples: int) -> "Window":
        """Around pixel coordinates u, v [n], clipped to the frame; at least 1 x 1."""
        left, top = (int(np.clip(np.floor(x.min()) - 1, 0, size - 1)) for x in (u, v))
        right, bottom = (int(np.clip(np.ceil(x.max()) + 1, 1, size)) for x in (u, v))
        return cls(left, top, max(right - left, 1), max(bottom - top, 1), samples)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of fragments."""
        return self.height * self.samples, self.width * self.samples

    def fragments(self, u: Array, v: Array, depth: Array, faces: Array) -> Fragments:
        """Fragments of vertices at u, v [V] frame pixels and depth [V] metres."""
        rows, columns = self.shape
        n = self.samples
        return rasterise((u - self.left) * n, (v - self.top) * n, depth, faces, columns, rows)

    def mean(self, values: Array) -> Array:
        """Fragment values [rows, columns, ...] averaged to pixels."""
        n = self.samples
        total = sum(values[i::n, j::n] for i in range(n) for j in range(n))
        return np.asarray(total * np.float32(1 / n**2))


def _grown(mask: Array) -> Array:
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    wide = out.copy()
    wide[:, 1:] |= out[:, :-1]
    wide[:, :-1] |= out[:, 1:]
    return wide


def closed(mask: Array) -> Array:
    """A bool mask with pin-holes up to two wide filled (3 x 3 closing); its outline stays."""
    return np.asarray(~_grown(~_grown(mask)))


def _openness(window: Window, seen: Fragments, focal: float) -> Array:
    """In [0.5, 1] per fragment: less in creases, by its depth against the blurred depth around it."""
    rows, columns = window.shape
    depth = np.zeros(rows * columns, np.float32)
    depth[seen.pixel] = 1 / seen.inverse_depth
    there = np.zeros(rows * columns, np.float32)
    there[seen.pixel] = 1
    middle = float(depth[seen.pixel].mean()) if len(seen.pixel) else 1.0
    sigma = max(CREASE * focal * window.samples / middle / 2, 0.5)
    half = (slice(None, None, 2), slice(None, None, 2))
    blurred = gaussian_filter(depth.reshape(rows, columns)[half], sigma, truncate=2)
    blurred /= np.maximum(gaussian_filter(there.reshape(rows, columns)[half], sigma, truncate=2), 1e-3)
    row, column = np.divmod(seen.pixel, columns)
    behind = depth[seen.pixel] - blurred[row // 2, column // 2]
    return np.asarray(1 - 0.5 * np.clip(behind / CREASE_DEPTH, 0, 1))


def _surface(scene: Posed, view: View, window: Window, seen: Fragments) -> Surface:
    table = np.concatenate([scene.normals, scene.position, scene.attributes], axis=1)
    values = seen.interpolate(table, scene.faces)
    point = values[:, 3:6]
    low = 0.72 + 0.28 * np.clip(point[:, 2] / 0.5, 0, 1)
    return Surface(
        normal=unit(values[:, :3]),
        point=point,
        attributes=values[:, 6:],
        material=scene.material[seen.face],
        towards=unit(view.centre.astype(np.float32) - point),
        open=(_openness(window, seen, view.focal) * low).astype(np.float32),
    )


def _together(surfaces: list[Surface]) -> Surface:
    """Fragments of several views in one, so that they are shaded in one go."""
    names = ("normal", "point", "attributes", "material", "towards", "open")
    return Surface(*(np.concatenate([getattr(s, name) for s in surfaces]) for name in names))


def _backdrop(stage: Stage, shadow: FloorShadow) -> Array:
    """The plate [H, W, 3] with the person's shadow on its floor."""
    image = stage.plate.image.astype(np.float32) / 255
    dx, dy = np.abs(stage.floor_at - shadow.centre).T
    near = np.nonzero((dx < REACH) & (dy < REACH))[0]
    darker = shadow.at(stage.floor_at[near]) * stage.floor_share[near]
    image.reshape(-1, 3)[stage.floor_pixel[near]] *= (1 - darker)[:, None]
    return image


def _laid_over(image: Array, window: Window, seen: Fragments, colour: Array, person: Array) -> Array:
    """Blends the window's fragments into `image` in place; returns the silhouette [H, W] bool."""
    shape = window.shape
    paint = np.zeros((shape[0] * shape[1], 3), np.float32)
    paint[seen.pixel] = colour
    covered = np.zeros(shape[0] * shape[1], bool)
    covered[seen.pixel] = True
    human = np.zeros(shape[0] * shape[1], bool)
    human[seen.pixel[person]] = True
    bare = window.mean(covered.reshape(shape).astype(np.float32))
    filled = window.mean(closed(covered.reshape(shape)).astype(np.float32))
    alpha = np.where(bare > 0, filled, 0)[..., None]
    mean = window.mean(paint.reshape(*shape, 3)) / np.maximum(bare, 1e-6)[..., None]
    inside = (slice(window.top, window.top + window.height), slice(window.left, window.left + window.width))
    image[inside] = image[inside] * (1 - alpha) + mean * alpha
    silhouette = np.zeros(image.shape[:2], bool)
    silhouette[inside] = window.mean(closed(human.reshape(shape)).astype(np.float32)) >= 0.5
    return silhouette


def pictures(
    scene: Posed, cameras: Sequence[Stage], samples: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """All cameras' frames [C, H, W, 3] uint8 and silhouettes [C, H, W] bool of one moment.

    samples: fragments per pixel along each axis. rng gives the offsets of the sensor's noise.
    """
    windows, seen, surfaces = [], [], []
    size = cameras[0].view.size
    for stage in cameras:
        projected = stage.view.project(scene.position)
        windows.append(Window.around(*projected[:2], size, samples))
        seen.append(windows[-1].fragments(*projected, scene.faces))
        surfaces.append(_surface(scene, stage.view, windows[-1], seen[-1]))
    colours = shade(scene.figure, _together(surfaces), shadow_map(scene), scene.light)
    shadow = floor_shadow(scene)
    frames, silhouettes = [], []
    start = 0
    for stage, window, fragments, surface in zip(cameras, windows, seen, surfaces, strict=True):
        image = _backdrop(stage, shadow)
        end = start + len(fragments.pixel)
        person = surface.material != Material.PROP
        silhouettes.append(_laid_over(image, window, fragments, colours[start:end], person))
        i, j = rng.integers(0, NOISE_SPARE, 2)
        image += _noise(size)[i : i + size, j : j + size]
        frames.append((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))
        start = end
    return np.stack(frames), np.stack(silhouettes)
