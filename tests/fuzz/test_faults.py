"""Every change that a command makes to the disk fails once, and the process dies before it once. Afterwards
the same command ends as if nothing had been; nothing half written is left.

In CI a few points of each command; all of them with `pytest -m fuzz tests/fuzz`."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FEW = {"subjects": "S1", "actions": "Walking", "clips": 1, "frames": 1, "size": 32, "workers": 1}
SYNTH = ["data", "synth", "--out", "set", *(word for key in FEW for word in (f"--{key}", str(FEW[key])))]
SETTINGS = {**FEW, "subjects": "[S1]", "actions": "[Walking]"}
REDRESS = ["data", "redress", "--out", "set", "--outfits", "S1,S5"]
REDRESS += [word for key in SETTINGS for word in ("--set", f"{key}={SETTINGS[key]}")]
LOOKED_AT = ["predict", "../pictures", "--network", "zoo:nsd", "--size", "32"]
PREDICT = [*LOOKED_AT, "--out", "poses.jsonl"]
LOOK = [*LOOKED_AT, "--out", "poses.csv", "--overlay", "looked"]

JOBS = {"synth": SYNTH, "redress": REDRESS, "predict": PREDICT, "overlay": LOOK}
ONCE = {"overlay"}
"""Commands that will not write into the folder of an earlier call: it is removed first, as they say."""

KINDS = ("kill", errno.ENOSPC, errno.EIO)
POINTS_IN_CI = 2


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two pictures, and a cache that the first run of each command fills."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "pictures").mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    before = os.environ.get("DPA_CACHE")
    os.environ["DPA_CACHE"] = str(folder / "cache")
    yield folder
    if before is None:
        del os.environ["DPA_CACHE"]
    else:
        os.environ["DPA_CACHE"] = before


def walk(name: str, place: Path, run: Callable, tree: Callable, fault: Callable, points: int | None) -> int:
    """All points of a command, or so many spread evenly, of every kind; how many that were."""
    words = JOBS[name]
    whole = place / f"{name}-whole"
    whole.mkdir()
    run(words, whole)  # fills the cache
    shutil.rmtree(whole)
    whole.mkdir()
    ended = run(words, whole)
    assert ended.status == 0, ended.said
    expected = tree(whole)
    chosen = range(ended.changes)
    if points is not None:
        chosen = np.unique(np.linspace(0, ended.changes - 1, points).astype(int)).tolist()
    tried = 0
    for at in chosen:
        for kind in KINDS:
            root = place / f"{name}-{at}-{kind}"
            root.mkdir()
            broken = run(words, root, fault(at, kind))
            where = f"{name}, change {at} of {ended.changes}, {kind}: {broken.said}"
            assert broken.sound or (kind == "kill" and broken.status == -9), where
            if name in ONCE:
                shutil.rmtree(root / "looked", ignore_errors=True)
            again = run(words, root)
            left = tree(root)
            assert again.status == 0 or left == expected, f"{where}\nagain: {again.said}"
            assert left == expected, f"{where}\nleft: {sorted(set(left) ^ set(expected))}"
            shutil.rmtree(root)
            tried += 1
    return tried


QUICK = {"synth"}
"""A second each; the others load a network or render twice."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in JOBS]
)
def test_some_faults_of_each_command(name: str, place: Path, run, tree, fault) -> None:
    assert walk(name, place, run, tree, fault, POINTS_IN_CI) > 0
    shutil.rmtree(place / f"{name}-whole")


@pytest.mark.fuzz
@pytest.mark.parametrize("name", JOBS)
def test_every_fault_of_each_command(name: str, place: Path, run, tree, fault) -> None:
    tried = walk(name, place, run, tree, fault, None)
    print(f"{name}: {tried} points")
