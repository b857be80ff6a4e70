"""A data set to be looked at: a page that opens offline, and contact sheets as PNG, the worst clips first.

Each clip of each camera is a row: its plate, then frames of it with the box, the outline of the silhouette
and the skeleton as the camera sees it, beside the figures by which imports are judged (`checks`).
"""

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from dpa.models.artefacts import claim
from dpa.models.atomic import write_text
from dpa.models.data.checks import BONES, FEW, Clip, Figures, Sample, measured, sampled
from dpa.models.data.store import PackedStore

KIND: Final = "a look at a data set"

SHOWN: Final = 6
"""Frames of each clip."""

TILE: Final = 200
"""Pixels of a tile's longer side."""

PAGE_ROWS, SHEET_ROWS = 60, 20
"""Clips with pictures on the page, and on each PNG sheet."""

BOX, OUTLINE = (255, 210, 0), (60, 255, 90)
LEFT, RIGHT, MIDDLE = (70, 150, 255), (255, 120, 40), (240, 240, 240)
COLOURS: Final = {"bad": (255, 90, 80), "good": (120, 220, 130), "unjudged": (170, 170, 170)}
LEFT_BONES, RIGHT_BONES = (3, 4, 5, 10, 11, 12), (0, 1, 2, 13, 14, 15)
"""Of BONES: the subject's own sides."""

FROM_BOX: Final = 1.3
"""A box over the extent of the joints in it, where a store does not tell where they are."""


@dataclass(frozen=True)
class Seen:
    """One clip of one camera: rows of the store [n], ascending in time, and what was measured on them."""

    name: str
    rows: NDArray[np.int64]
    figures: Figures
    faults: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """What is to be said of it in a line."""
        fine = "good" if self.figures.frames >= FEW else "too few frames to judge its pictures"
        return "; ".join(self.faults) or fine

    @property
    def kind(self) -> str:
        """bad, good, or unjudged."""
        return "bad" if self.faults else "good" if self.figures.frames >= FEW else "unjudged"


@dataclass(frozen=True)
class Look:
    """What was made: the page, the sheets beside it, and every clip, the worst first."""

    page: Path
    sheets: tuple[Path, ...]
    clips: tuple[Seen, ...]


def look(store: PackedStore, out: Path, progress: Callable[[int, int], None] | None = None) -> Look:
    """Measures every clip of every camera, and writes page.html and contact-1.png, … into the folder `out`.

    progress: called with (clips measured, clips in all). Raises NotOurs where `out` holds something else.
    """
    claim(out, KIND)
    key = np.stack([store.sequence, store.camera], axis=1)
    pairs, inverse = np.unique(key, axis=0, return_inverse=True)
    groups = [np.flatnonzero(inverse.reshape(-1) == number) for number in range(len(pairs))]
    clips = []
    for done, rows in enumerate(groups, 1):
        clips.append(_seen(store, rows[np.argsort(store.time[rows], kind="stable")]))
        if progress is not None:
            progress(done, len(groups))
    clips.sort(key=_badness)
    strips = [_strip(store, clip) for clip in clips[:PAGE_ROWS]]
    for old in out.glob("contact-*.png"):
        old.unlink()
    sheets = []
    for number, start in enumerate(range(0, len(strips), SHEET_ROWS), 1):
        sheets.append(out / f"contact-{number}.png")
        _stacked(clips[start : start + SHEET_ROWS], strips[start : start + SHEET_ROWS]).save(sheets[-1])
    write_text(out / "page.html", _page(store, clips, strips))
    return Look(out / "page.html", tuple(sheets), tuple(clips))


def _seen(store: PackedStore, rows: NDArray[np.int64]) -> Seen:
    some = sampled(len(rows))

    def samples() -> "Sequence[Sample] | map[Sample]":
        return map(sample, some.tolist())

    def sample(place: int) -> Sample:
        row = int(rows[place])
        plate = np.asarray(store.plates[store.plate[row]])
        return place, np.asarray(store.frames[row]), plate, store.silhouettes([row])[0]

    figures = measured(
        Clip(
            samples(),
            store.size,
            np.asarray(store.box[rows]),
            _pixels(store, rows),
            np.asarray(store.poses[rows]),
            np.asarray(store.time[rows]),
            fixed=len(np.unique(store.plate[rows])) == 1,
        )
    )
    first = rows[0]
    names = (store.subject[first], store.action[first], store.cameras[store.camera[first]].name)
    name = f"{' '.join(str(part) for part in names)} (sequence {store.sequence[first]})"
    return Seen(name, rows, figures, tuple(figures.faults()))


def _pixels(store: PackedStore, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
    known = None if store.pixels is None else np.asarray(store.pixels[rows])
    return None if known is None or np.isnan(known).any() else known


def _badness(clip: Seen) -> tuple[float, ...]:
    """Ascending from the worst: by the number of faults, then by what the silhouette misses."""
    f = clip.figures
    covered = f.on_skeleton if f.on_skeleton is not None else min(f.in_box * 2, 1.0)
    unjudged = clip.kind == "unjudged"
    return -len(clip.faults), -unjudged, covered - f.unexplained - f.drift - f.empty - (1 - f.alone)


def _strip(store: PackedStore, clip: Seen) -> Image.Image:
    """The plate and SHOWN frames side by side."""
    chosen = clip.rows[np.unique(np.linspace(0, len(clip.rows) - 1, SHOWN).round().astype(int))]
    scale = TILE / max(store.size)
    height, width = (max(round(side * scale), 1) for side in store.size)
    strip = Image.new("RGB", ((width + 4) * (SHOWN + 1), height), (24, 26, 30))
    plate = Image.fromarray(np.asarray(store.plates[store.plate[clip.rows[0]]]))
    strip.paste(plate.resize((width, height), Image.Resampling.BILINEAR), (0, 0))
    known = _pixels(store, chosen)
    for place, row in enumerate(chosen.tolist(), 1):
        joints = known[place - 1] if known is not None else _placed(store, row)
        strip.paste(_tile(store, row, joints, (height, width)), (place * (width + 4), 0))
    return strip


def _tile(
    store: PackedStore, row: int, joints: NDArray[np.floating] | None, size: tuple[int, int]
) -> Image.Image:
    """One frame with its box, the silhouette's outline and the skeleton."""
    height, width = size
    tile = Image.fromarray(np.asarray(store.frames[row])).resize((width, height), Image.Resampling.BILINEAR)
    mask = Image.fromarray(store.silhouettes([row])[0]).resize((width, height), Image.Resampling.NEAREST)
    inside = np.asarray(mask)
    pixels = np.array(tile)
    pixels[inside & ~ndimage.binary_erosion(inside)] = OUTLINE
    tile = Image.fromarray(pixels)
    draw = ImageDraw.Draw(tile)
    sx, sy, tx, ty = (float(part) for part in store.box[row])
    corners = ((tx - sx + 1) / 2, (ty - sy + 1) / 2, (tx + sx + 1) / 2, (ty + sy + 1) / 2)
    scaled = [part * side for part, side in zip(corners, (width, height, width, height), strict=True)]
    draw.rectangle(scaled, outline=BOX)
    if joints is not None:
        points = joints * np.array([width / store.size[1], height / store.size[0]])
        for number, (start, end) in enumerate(BONES):
            colour = LEFT if number in LEFT_BONES else RIGHT if number in RIGHT_BONES else MIDDLE
            draw.line([*points[start].tolist(), *points[end].tolist()], fill=colour, width=2)
    return tile


def _placed(store: PackedStore, row: int) -> NDArray[np.float64] | None:
    """The pose through its camera, put where its box is and as far as its size tells; None without a pose."""
    pose, k = np.asarray(store.poses[row], np.float64), store.cameras[store.camera[row]].intrinsics
    if np.isnan(pose).any() or not store.cameras[store.camera[row]].translation.any():
        return None
    side = np.array(store.size[::-1])
    box = np.asarray(store.box[row], np.float64)
    middle, extent = (box[2:] + 1) / 2 * side, float((box[:2] * side).max()) / FROM_BOX
    root = np.array([0, 0, k[0, 0] * np.ptp(pose, axis=0)[:2].max() / max(extent, 1e-6)])
    for _ in range(5):
        seen = (pose + root) @ k.T
        seen = seen[:, :2] / np.maximum(seen[:, 2:], 1.0)
        root[2] *= float(np.ptp(seen, axis=0).max()) / max(extent, 1e-6)
        shift = middle - (seen.max(axis=0) + seen.min(axis=0)) / 2
        root[:2] += shift * root[2] / np.diag(k)[:2]
    return np.asarray(seen)


def _stacked(clips: Sequence[Seen], strips: Sequence[Image.Image]) -> Image.Image:
    """One sheet: each strip under its name and what speaks against it."""
    head = 18
    width, height = strips[0].width, strips[0].height + head
    sheet = Image.new("RGB", (width, height * len(strips)), (24, 26, 30))
    draw = ImageDraw.Draw(sheet)
    for number, (clip, strip) in enumerate(zip(clips, strips, strict=True)):
        colour = COLOURS[clip.kind]
        draw.rectangle([0, number * height, 5, (number + 1) * height], fill=colour)
        words = f"{clip.name}: {clip.verdict}".encode("latin1", "replace").decode("latin1")
        draw.text((10, number * height + 3), words, fill=colour)
        sheet.paste(strip, (6, number * height + head))
    return sheet


STYLE: Final = """
body { background: #181a1e; color: #e6e6e6; font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; }
h1 { font-size: 1.3em } .bad { color: #ff6a60 } .good { color: #78dc82 }
section { border-left: 6px solid #aaa; padding: .3em .8em; margin: 1em 0; color: #e6e6e6 !important }
section.bad { border-color: #ff5a50 } section.good { border-color: #78dc82 }
img { max-width: 100%; display: block; margin: .3em 0 }
table { border-collapse: collapse } td, th { padding: .15em .7em; border-bottom: 1px solid #333 }
td, th { text-align: right }
td:first-child, th:first-child, td:last-child { text-align: left }
.box { color: #ffd200 } .outline { color: #3cff5a } .left { color: #4696ff } .right { color: #ff7828 }
"""


def _page(store: PackedStore, clips: Sequence[Seen], strips: Sequence[Image.Image]) -> str:
    bad = sum(bool(clip.faults) for clip in clips)
    verdict = (
        f'<span class="bad">{bad} of {len(clips)} clips are bad</span>'
        if bad
        else f'<span class="good">nothing speaks against the {len(clips)} clips</span>'
    )
    left_out = [str(one) for one in _listed(store.meta.get("skipped"))]
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(store.path.name)}</title>",
        f"<style>{STYLE}</style><h1>{html.escape(str(store.path))}: {verdict}</h1>",
        f"<p>{len(store):,} frames of {store.size[1]} × {store.size[0]} pixels, {html.escape(store.source)}."
        " Each row: the plate, then frames with the <span class='box'>box</span>, the <span class='outline'>"
        "silhouette</span>, the subject's <span class='left'>left</span> and <span class='right'>right</span>"
        f".{'' if store.pixels is not None else ' Skeletons are put where the boxes are.'}</p>",
    ]
    if left_out:
        items = "".join(f"<li>{html.escape(one)}</li>" for one in left_out)
        parts.append(
            f"<details><summary>{len(left_out)} left out by the import</summary><ul>{items}</ul></details>"
        )
    for clip, strip in zip(clips, strips, strict=False):
        file = io.BytesIO()
        strip.save(file, "JPEG", quality=82)
        picture = base64.b64encode(file.getvalue()).decode()
        name = html.escape(clip.name)
        parts.append(
            f"<section class='{clip.kind}'><b>{name}</b>: {html.escape(clip.verdict)}"
            f"<img src='data:image/jpeg;base64,{picture}' alt='{name}'>{_figures(clip)}</section>"
        )
    parts.append(f"<h1>All clips</h1>{_table(clips)}</html>")
    return "\n".join(parts) + "\n"


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


COLUMNS: Final = (
    ("frames", "frames", "{:,}"),
    ("differ from the plate", "unexplained", "{:.1%}"),
    ("drift", "drift", "{:.1%}"),
    ("one person", "alone", "{:.0%}"),
    ("nobody", "empty", "{:.0%}"),
    ("silhouette of box", "in_box", "{:.0%}"),
    ("of skeleton", "on_skeleton", "{:.0%}"),
    ("of legs", "on_legs", "{:.0%}"),
    ("joints in box", "joints_in_box", "{:.0%}"),
    ("in frame", "joints_in_frame", "{:.0%}"),
    ("bones' spread", "bone_spread", "{:.1%}"),
    ("longest gap", "gap", "{:.1f} ×"),
)
"""Heading, name in Figures, how it is printed."""


def _cells(clip: Seen) -> list[str]:
    values = [getattr(clip.figures, name) for _, name, _ in COLUMNS]
    return ["–" if v is None else form.format(v) for v, (_, _, form) in zip(values, COLUMNS, strict=True)]


def _figures(clip: Seen) -> str:
    said = (f"{head}: {cell}" for (head, _, _), cell in zip(COLUMNS, _cells(clip), strict=True))
    return f"<small>{html.escape(' · '.join(said))}</small>"


def _table(clips: Sequence[Seen]) -> str:
    heads = "".join(f"<th>{html.escape(head)}</th>" for head in ("clip", *(c[0] for c in COLUMNS), "faults"))
    rows = []
    for clip in clips:
        cells = (clip.name, *_cells(clip), "; ".join(clip.faults))
        kind = " class='bad'" if clip.faults else ""
        rows.append(f"<tr{kind}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>")
    return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"
