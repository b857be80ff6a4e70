"""Clothes, skin, hair and light drawn anew for every moment of a clip, while the motion stays the same.

Cuts (lengths, looseness, hair styles) come from a dozen a body, since a mesh takes longer than its picture;
colours, patterns and lamps are never the same twice. The room's plates keep the light that they have.
"""

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from .body import SUBJECTS
from .figure import Figure, figure
from .room import LAMPS, SKY, Lamp, Light
from .wardrobe import HEADS, Head, Outfit

CUTS = 12
"""Different cuts for each body."""

TOP_PATTERNS = ("solid", "stripes", "plaid", "raglan", "logo", "jacket", "band")
BOTTOM_PATTERNS = ("solid", "denim", "side", "hoops", "camo")
SKIN_TONES = ("f2d3bd", "ecc4ac", "e0b096", "c98d68", "a56d4c", "7d5038", "54352a", "40271f")
"""From light to dark; drawn between neighbours."""
HAIR = ("0d0a09", "15100e", "3a2618", "6b2e18", "7d7468", "b5863c", "d8c08a", "c8c4bc")
IRIS = ("20120a", "3a2a18", "3a4a28", "3a5a78", "5a7a9a")


@dataclass(frozen=True)
class Look:
    """How a person looks at one moment."""

    figure: Figure
    light: Light


def drawn_look(subject: str, cell: float, rng: np.random.Generator) -> Look:
    """A look for one of the seven bodies; `cell` as in `figure`."""
    cut, hair = _cut(subject, int(rng.integers(CUTS)))
    dressed = figure(subject, cut, hair, cell)
    return Look(replace(dressed, outfit=_coloured(cut, rng), head=_head(hair, rng)), _light(rng))


def _cut(subject: str, number: int) -> tuple[Outfit, Head]:
    """The shape of clothes and hair: the same in every set, so that a process makes each mesh once."""
    rng = np.random.default_rng((SUBJECTS.index(subject), number))
    long_sleeves, short_trousers, skirt = rng.random(3) < (0.5, 0.3, 0.2)
    outfit = Outfit(
        sleeve=float(rng.uniform(1.4, 1.9) if long_sleeves else rng.uniform(0.25, 0.8)),
        top=("808080",) * 3,
        bottom=("808080",) * 2,
        shoe="808080",
        cuff=float(rng.uniform(0.0, 0.4) if short_trousers else rng.uniform(-0.98, -0.5)),
        skirt=float(rng.uniform(0.0, 0.35)) if skirt else None,
        collar_up=float(rng.uniform(-0.03, 0.008)),
        v_neck=float(rng.choice((0.0, 0.0, rng.uniform(0.03, 0.09)))),
        hem=float(rng.uniform(-0.08, 0.0)),
        loose=float(rng.uniform(0.002, 0.022)),
        top_loose=float(rng.uniform(0.002, 0.014)),
        sleeve_loose=float(rng.uniform(0.003, 0.011)),
        shoe_height=float(rng.uniform(0.02, 0.05)),
    )
    hair = replace(
        HEADS[subject],
        style=str(rng.choice(("short", "short", "bob", "long"))),
        thickness=float(rng.uniform(0.004, 0.026)),
        roughness=float(rng.uniform(0.001, 0.006)),
    )
    return outfit, hair


def _coloured(cut: Outfit, rng: np.random.Generator) -> Outfit:
    """The cut in colours of every hue, brightness and pattern."""
    return replace(
        cut,
        top=tuple(_any_colour(rng) for _ in range(3)),
        top_pattern=str(rng.choice(TOP_PATTERNS)),
        stripe=float(rng.uniform(0.03, 0.12)),
        trim=float(rng.uniform(0.4, 1.0)),
        bottom=tuple(_any_colour(rng) for _ in range(2)),
        bottom_pattern=str(rng.choice(BOTTOM_PATTERNS)),
        belt=_any_colour(rng),
        shoe=_any_colour(rng),
        sole=_any_colour(rng),
        lace=_any_colour(rng),
        sock=float(rng.uniform(0.0, 0.02)),
        sock_colour=_any_colour(rng),
    )


def _head(head: Head, rng: np.random.Generator) -> Head:
    """The head with another skin, other eyes and hair of another colour."""
    tone = float(rng.uniform(0, len(SKIN_TONES) - 1))
    lower = min(int(tone), len(SKIN_TONES) - 2)
    skin = _mixed(SKIN_TONES[lower], SKIN_TONES[lower + 1], tone - lower)
    return replace(
        head,
        skin=_mixed(skin, _any_colour(rng), 0.04),
        hair=_mixed(str(rng.choice(HAIR)), _any_colour(rng), float(rng.uniform(0, 0.25))),
        iris=str(rng.choice(IRIS)),
        brow=float(rng.uniform(0.4, 0.9)),
        beard=float(rng.choice((0.0, 0.0, rng.uniform(0.3, 0.9)))),
    )


def _light(rng: np.random.Generator) -> Light:
    """Two lamps anywhere under the ceiling, warm to cold, half to one and a half times as bright."""
    lamps = []
    for lamp in LAMPS:
        x, y = rng.uniform(-2.4, 2.4, 2)
        position = np.array([x, y, rng.uniform(2.3, 2.95)], np.float32)
        lamps.append(Lamp(position, (lamp.colour * rng.uniform(0.5, 1.5) * _tint(rng)).astype(np.float32)))
    return Light(tuple(lamps), (SKY * rng.uniform(0.6, 1.4) * _tint(rng)).astype(np.float32))


def _tint(rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A white [3] between candle and sky."""
    warmth = rng.uniform(-0.14, 0.14)
    return np.array([1 + warmth, 1.0, 1 - warmth])


def _any_colour(rng: np.random.Generator) -> str:
    """A colour code: any hue, grey to saturated, dark to light."""
    hue, saturation, value = rng.random(), rng.random() ** 0.8, rng.uniform(0.08, 0.97)
    return _code(colorsys.hsv_to_rgb(hue, saturation, value))


def _mixed(a: str, b: str, share: float) -> str:
    """The code `share` of the way from a to b."""
    one, other = (np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255 for code in (a, b))
    return _code(one * (1 - share) + other * share)


def _code(rgb: "tuple[float, float, float] | np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    return "".join(f"{round(255 * float(part)):02x}" for part in rgb)
