"""What to generate, unknown names refused with the nearest known one; and which generator draws it."""

import difflib
import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from dpa.models.errors import InputError

from .body import SUBJECTS
from .motion.actions import ACTIONS
from .wardrobe import OUTFITS

LATER = ("fresh_outfits", "zoom")
"""Settings that earlier sets, and the keys that name them, did not know."""


class UnknownName(InputError):
    """A subject, action or outfit that the generator does not have."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        folded = {n.lower(): n for n in names}
        near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.0)
        super().__init__(
            found=f"{kind} {name!r}",
            expected=f"one of {', '.join(names)}",
            remedy=f"did you mean {folded[near[0]]!r}?",
        )


def _known(kind: str, name: str, known: Iterable[str]) -> str:
    folded = {n.lower(): n for n in known}
    if name.lower() not in folded:
        raise UnknownName(kind, name, folded.values())
    return folded[name.lower()]


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SynthConfig(BaseModel):
    """A synthetic set: subjects x actions x clips, each `frames` long at `fps`, seen by four cameras.

    outfit: whose clothes everybody wears; None: their own. size: the square frames' side in pixels.
    crop_size: None, or the side of person crops (the true boxes) to store instead of full frames; each then
    has a plate of its own, its box is the whole image, and the cameras' intrinsics are the full view's.
    fresh_outfits: every frame of a clip in clothes, skin, hair and light of its own, alike for all cameras;
    the motion is that of the set without it. zoom: how many times as tall people stand in the frame (about
    0.4 of its side at 1); to stay in view they keep nearer to the room's middle.
    supersample: fragments per pixel along each axis. The same values and seed give the same bytes for any
    `workers`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    subjects: tuple[str, ...] = SUBJECTS
    actions: tuple[str, ...] = ACTIONS
    clips: Annotated[int, Field(ge=1)] = 4
    frames: Annotated[int, Field(ge=1)] = 12
    fps: Annotated[float, Field(gt=0)] = 10.0
    size: Annotated[int, Field(ge=32, le=2048)] = 160
    seed: Annotated[int, Field(ge=0)] = 0
    workers: Annotated[int, Field(ge=1)] = Field(default_factory=available_cores)
    outfit: str | None = None
    crop_size: Annotated[int, Field(ge=16, le=1024)] | None = None
    fresh_outfits: bool = False
    zoom: Annotated[float, Field(ge=1, le=2)] = 1.0
    supersample: Annotated[int, Field(ge=1, le=8)] = 2

    @model_validator(mode="after")
    def _one_wardrobe(self) -> "SynthConfig":
        if self.fresh_outfits and self.outfit is not None:
            raise InputError(
                found=f"fresh outfits and the outfit {self.outfit}",
                expected="one of the two",
                remedy="leave out --outfit, or --fresh-outfits",
            )
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, plainly: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Later settings are told only where they are used: sets made without them keep their names."""
        told: dict[str, object] = plainly(self)
        return {k: v for k, v in told.items() if k not in LATER or v != type(self).model_fields[k].default}

    @property
    def stored_size(self) -> int:
        """Side of the stored images in pixels."""
        return self.crop_size or self.size

    @property
    def scene_size(self) -> int:
        """Side of the full frames that are rendered, or that crops are cut from without losing sharpness."""
        return self.size if self.crop_size is None else max(self.size, 2 * self.crop_size)

    @field_validator("subjects")
    @classmethod
    def _subjects(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_known("subject", n, SUBJECTS) for n in names))

    @field_validator("actions")
    @classmethod
    def _actions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_known("action", n, ACTIONS) for n in names))

    @field_validator("outfit")
    @classmethod
    def _outfit(cls, name: str | None) -> str | None:
        return None if name is None else _known("outfit", name, OUTFITS)


@cache
def generator_fingerprint(folder: Path = Path(__file__).parent) -> str:
    """SHA-256 over names and bytes of every source file and table in the folder, milliseconds' work. Any edit
    changes it, a comment's too: a set made once too often costs seconds, a stale one costs the truth."""
    told = hashlib.sha256()
    for path in sorted(one for one in folder.rglob("*") if one.suffix in (".py", ".npz")):
        told.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        told.update(path.read_bytes())
    return told.hexdigest()
