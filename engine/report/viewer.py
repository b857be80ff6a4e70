"""What the page's viewer of attacks is fed: frames, poses and errors of a few samples over iterations."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpa.engine.drawing.grid import around
from dpa.engine.drawing.skeleton import LEFT, PARENTS, RIGHT
from dpa.engine.report.findings import SNAPSHOTS, Arrays, Findings

SIDE = 256
"""Pixels of a frame in the viewer."""


def viewer_data(findings: Findings, images: bool) -> dict[str, Any]:
    """Plain values for the page's script. Poses in whole mm; frames as data URIs, none without `images`."""
    return {
        "threshold": findings.note["config"]["attack"]["min_error_mm"],
        "parents": list(PARENTS),
        "left": list(LEFT),
        "right": list(RIGHT),
        "networks": [
            {
                "title": one.title,
                "samples": [
                    _sample(one.arrays[SNAPSHOTS], number, images)
                    for number in range(len(one.arrays[SNAPSHOTS]["original"]))
                ],
            }
            for one in findings.networks
        ],
    }


def _sample(found: Arrays, number: int, images: bool) -> dict[str, Any]:
    iterations = int(found["iterations"][number])
    shown = [place for place in range(len(found["steps"])) if place == 0 or _changes(found, number, place)]
    trace = found["trace"][number][: iterations + 1]
    sample = {
        "title": f"{found['subject'][number]}, {found['action'][number]}",
        "iterations": iterations,
        "steps": [min(int(found["steps"][place]), iterations) for place in shown],
        "errors": [round(float(found["errors"][number, place]), 1) for place in shown],
        "poses": [_whole(found["poses"][number, place]) for place in shown],
        "before": _whole(found["before"][number]),
        "truth": _whole(found["truth"][number]) if np.isfinite(found["truth"][number]).all() else None,
        "trace": [round(float(value), 1) for value in trace if np.isfinite(value)],
    }
    if images:
        box = np.nan_to_num(found["box"][number], nan=1.0)
        sample["original"] = picture_uri(around(found["original"][number], box))
        sample["frames"] = [picture_uri(around(found["frames"][number, place], box)) for place in shown]
    return sample


def _changes(found: Arrays, number: int, place: int) -> bool:
    """Whether the sample was still under attack before this limit: later ones repeat it."""
    return int(found["steps"][place - 1]) < int(found["iterations"][number])


def _whole(pose: NDArray[Any]) -> list[list[int]]:
    rounded: list[list[int]] = np.nan_to_num(pose).round().astype(int).tolist()
    return rounded


def picture_uri(picture: NDArray[np.uint8], side: int = SIDE) -> str:
    """uint8 [h, w, 3] → a WebP data URI of side × side pixels."""
    return _uri(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), 82)


def png_uri(png: bytes) -> str:
    """A PNG file → a WebP data URI of the same size."""
    return _uri(Image.open(io.BytesIO(png)).convert("RGB"), 88)


def svg_uri(svg: bytes) -> str:
    """An SVG file → a data URI."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _uri(picture: Image.Image, quality: int) -> str:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
