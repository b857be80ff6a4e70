"""One clip: a motion of one subject, seen by all cameras. All that is random about it comes from its key.

A process that only renders clips imports neither torch nor pyarrow, so this file does not either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path

import numpy as np

from dpa.models.data.store_format import StoreMaps

from .body import SKIN_VERTICES, SUBJECTS, Body, assemble, body, joints17
from .cameras import Plate, View
from .config import SynthConfig
from .figure import figure, posed
from .fresh import Look, drawn_look
from .geometry import Array
from .motion.actions import ACTIONS, perform
from .motion.choreography import Choreography, Seat
from .picture import Stage, pictures, stages
from .room import Light
from .wardrobe import HEADS, OUTFITS

MARGIN = 1.15  # of the box over the person's extent
DISTANCE = 5.0  # metres to the cameras
COARSENESS = 0.3  # of a pixel at that distance: how far vertices may be merged
FINEST = 0.002  # metres: no merging below
WHOLE = np.array([1, 1, 0, 0], np.float32)  # θ of the whole frame
BOX_STRIDE = 9  # every ninth skin vertex is enough for a box


@dataclass(frozen=True)
class ClipKey:
    """Which clip: the same key and seed give the same motion, whatever else is generated, in any outfit."""

    subject: str
    action: str
    number: int
    outfit: str


@dataclass(frozen=True)
class Take:
    """A clip in the world: bone rotations [T, 104, 3, 3], heads [T, 104, 3] metres, joints [T, 17, 3] mm."""

    body: Body
    time: Array
    rotations: Array
    heads: Array
    joints: Array
    seat: Seat | None


@dataclass(frozen=True)
class ClipImages:
    """T x C samples, frame by frame and within it camera by camera, as the packed store wants them."""

    frames: Array
    silhouettes: Array
    poses: Array
    boxes: Array
    camera: Array
    frame: Array
    time: Array
    pixels: Array


def _entropy(key: ClipKey, seed: int) -> tuple[int, ...]:
    return seed, SUBJECTS.index(key.subject), ACTIONS.index(key.action), key.number


def _generators(key: ClipKey, seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Random numbers for the motion and for the sensor; the outfit is no part of the key."""
    motion, sensor = np.random.SeedSequence(_entropy(key, seed)).spawn(2)
    return np.random.default_rng(motion), np.random.default_rng(sensor)


def take(key: ClipKey, frames: int, fps: float, seed: int, zoom: float = 1.0) -> Take:
    """The motion of one clip. With a `zoom` people keep nearer to the room's middle: they stay in view."""
    who = body(key.subject)
    time = np.arange(frames) / fps
    motion = perform(Choreography(who, time, _generators(key, seed)[0], 1 / zoom), key.action)
    rotations, heads = assemble(who, motion.parts)
    return Take(who, time, rotations, heads, joints17(who, rotations, heads), motion.seat)


def coarseness(focal: float) -> float:
    """Metres within which vertices are merged for a focal length in pixels."""
    cell = COARSENESS * DISTANCE / focal
    return round(cell, 5) if cell > FINEST else 0.0


@lru_cache(maxsize=len(SUBJECTS))
def _bare_points(subject: str) -> tuple[Array, Array]:
    """Homogeneous rest points [n, 4] of the naked skin and their weights [n, 104]."""
    who = body(subject)
    points = who.vertices[:SKIN_VERTICES:BOX_STRIDE]
    return np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1), who.anatomy.weights[
        :SKIN_VERTICES:BOX_STRIDE
    ]


def skin_points(moment: Take, step: int) -> Array:
    """Points [n, 3] metres all over the naked skin at one frame: the same in every outfit."""
    points, weights = _bare_points(moment.body.name)
    turn, heads = moment.rotations[step], moment.heads[step]
    offset = heads - np.einsum("bij,bj->bi", turn, moment.body.heads)
    bones = np.concatenate([turn, offset[..., None]], axis=2).reshape(-1, 12)
    return np.asarray(np.einsum("vij,vj->vi", (weights @ bones).reshape(-1, 3, 4), points))


def true_box(view: View, points: Array) -> Array:
    """θ [4] of the square around points [n, 3] metres with a margin; see the data contract."""
    u, v, _ = view.project(points)
    scale = max(np.ptp(u), np.ptp(v)) * MARGIN / view.size
    centre = ((x.min() + x.max()) / view.size - 1 for x in (u, v))
    return np.array([scale, scale, *centre], np.float32)


def true_boxes(moment: Take, cameras: Sequence[View]) -> Array:
    """θ [T, C, 4] of every frame and camera."""
    skins = [skin_points(moment, step) for step in range(len(moment.time))]
    return np.stack([[true_box(view, skin) for view in cameras] for skin in skins])


def _looks(key: ClipKey, config: SynthConfig, view: View) -> Iterator[Look]:
    """How the person looks at every frame: in one outfit, or in one drawn for it from numbers of its own."""
    cell = coarseness(view.focal)
    if not config.fresh_outfits:
        dressed = figure(key.subject, OUTFITS[key.outfit], HEADS[key.subject], cell)
        yield from repeat(Look(dressed, Light()), config.frames)
        return
    for step in range(config.frames):
        entropy = np.random.SeedSequence(_entropy(key, config.seed), spawn_key=(2, step))
        yield drawn_look(key.subject, cell, np.random.default_rng(entropy))


def film(key: ClipKey, config: SynthConfig, cameras: Sequence[Stage]) -> ClipImages:
    """Renders one clip with all cameras.

    With a crop_size the images are the true boxes at that size, and their boxes the whole image.
    """
    frames, crop_size = config.frames, config.crop_size
    moment = take(key, frames, config.fps, config.seed, config.zoom)
    sensor = _generators(key, config.seed)[1]
    looks = _looks(key, config, cameras[0].view)
    boxes = true_boxes(moment, [stage.view for stage in cameras])
    shot: list[tuple[Array, Array]] = []
    pixels: list[Array] = []
    for step, look in enumerate(looks):
        scene = posed(look.figure, moment.rotations[step], moment.heads[step], moment.seat, look.light)
        seen_by = cameras
        if crop_size is not None:
            seen_by = [stage.cropped(box, crop_size) for stage, box in zip(cameras, boxes[step], strict=True)]
        shot.append(pictures(scene, seen_by, config.supersample, sensor))
        joints = moment.joints[step] / 1000
        pixels += [np.stack(stage.view.project(joints)[:2], axis=-1) for stage in seen_by]
    if crop_size is not None:
        boxes = np.broadcast_to(WHOLE, boxes.shape)
    relative = moment.joints - moment.joints[:, :1]
    poses = np.stack([relative @ stage.view.rotation.T for stage in cameras], axis=1)
    count = len(cameras)
    return ClipImages(
        frames=np.concatenate([s[0] for s in shot]),
        silhouettes=np.concatenate([s[1] for s in shot]),
        poses=poses.reshape(-1, 17, 3).astype(np.float32),
        boxes=boxes.reshape(-1, 4),
        camera=np.tile(np.arange(count), frames),
        frame=np.repeat(np.arange(frames), count),
        time=np.repeat(moment.time, count),
        pixels=np.stack(pixels).astype(np.float32),
    )


# Into a store under construction, clip by clip, in any process.


@dataclass(frozen=True)
class Task:
    """One clip and its number in the store."""

    sequence: int
    key: ClipKey


def outfit_name(task: Task, step: int, config: SynthConfig) -> str:
    """Whose clothes are worn at a frame of the clip; a name of its own where they were drawn for it."""
    return f"drawn {task.sequence}.{step}" if config.fresh_outfits else task.key.outfit


@dataclass(frozen=True)
class Worker:
    """What it takes to render any clip of a set: its configuration, the cameras, the store's folder."""

    config: SynthConfig
    cameras: Sequence[Stage]
    folder: Path

    @classmethod
    def of(cls, config: SynthConfig, plates: Sequence[Plate], folder: Path) -> "Worker":
        return cls(config, stages(plates, config.zoom), folder)

    def run(self, task: Task) -> int:
        """Renders a clip into its range of the store; returns the number of images."""
        c = self.config
        images = film(task.key, c, self.cameras)
        count = len(images.frames)
        start = task.sequence * count
        columns = {
            "subject": task.key.subject,
            "action": task.key.action,
            "outfit": [outfit_name(task, int(step), c) for step in images.frame],
            "sequence": task.sequence,
            "camera": images.camera,
            "plate": images.camera if c.crop_size is None else start + np.arange(count),
            "frame": images.frame,
            "time": images.time,
            "box": images.boxes,
        }
        # Opened anew for each clip: pages of a map that stays open count as the worker's memory.
        store = StoreMaps(self.folder)
        store.write(start, images.frames, images.silhouettes, images.poses, columns, images.pixels)
        return count


_worker: Worker | None = None  # one per process


def start_worker(config: SynthConfig, plates: Sequence[Plate], folder: Path) -> None:
    """Prepares this process; see `render`."""
    global _worker  # noqa: PLW0603  # a process pool offers no other place for what its initialiser makes
    _worker = Worker.of(config, plates, folder)


def render(task: Task) -> int:
    """Renders one clip in a process prepared by `start_worker`."""
    assert _worker is not None
    return _worker.run(task)
