"""`data look`: a page that opens offline, sheets, the worst first."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dpa.engine.cli.app import app
from dpa.models.artefacts import NotOurs
from dpa.models.data.contract import COLUMNS
from dpa.models.data.look import look
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import generate

FRAMES = 12


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    config = SynthConfig(
        subjects=("S1", "S8"), actions=("Walking",), clips=1, frames=FRAMES, fps=3, size=96, workers=1
    )
    return generate(config, tmp_path_factory.mktemp("look") / "good")


@pytest.fixture(scope="module")
def spoilt(good: PackedStore) -> PackedStore:
    """The same set; the last clip of the last camera is shaken, and where the joints are is not told."""
    rng = np.random.default_rng(0)
    folder = good.path.with_name("spoilt")
    with PackedStoreWriter(
        folder,
        cameras=good.cameras,
        plates=np.asarray(good.plates),
        fps=3,
        seed=0,
        source="test",
        count=len(good),
    ) as writer:
        frames = good.frames_u8_at(slice(None))
        for row in np.flatnonzero((good.sequence == 1) & (good.camera == 3)):
            frames[row] = np.roll(frames[row], rng.integers(-9, 10, 2), (0, 1))
        columns = {name: getattr(good, name) for name in COLUMNS.names or ()}
        writer.write(0, frames, good.silhouettes(slice(None)), np.asarray(good.poses), columns)
    return PackedStore.open(folder)


def test_a_good_and_a_spoilt_set_are_told_at_a_glance(
    good: PackedStore, spoilt: PackedStore, tmp_path: Path
) -> None:
    made = look(good, tmp_path / "good")
    assert len(made.clips) == 8 and not any(clip.faults for clip in made.clips)
    assert "nothing speaks against the 8 clips" in made.page.read_text()
    made = look(spoilt, tmp_path / "spoilt")
    assert "1 of 8 clips are bad" in made.page.read_text()
    assert [bool(clip.faults) for clip in made.clips] == [True] + 7 * [False]
    assert made.clips[0].name == "S8 Walking camera4 (sequence 1)"
    assert [clip.figures.frames for clip in made.clips] == 8 * [FRAMES]


def test_the_page_needs_nothing_else(good: PackedStore, tmp_path: Path) -> None:
    page = look(good, tmp_path / "look").page.read_text()
    sources = re.findall(r"""(?:src|href)=['"]([^'"]{0,22})""", page)
    assert len(sources) == 8 and all(one.startswith("data:image/jpeg;base64") for one in sources)
    assert "http" not in page.replace("http-equiv", "")


def test_sheets_show_plate_box_outline_and_skeleton(good: PackedStore, tmp_path: Path) -> None:
    (sheet,) = look(good, tmp_path / "look").sheets
    pixels = np.asarray(Image.open(sheet).convert("RGB"))
    for colour in ((255, 210, 0), (60, 255, 90), (70, 150, 255), (255, 120, 40), (240, 240, 240)):
        assert (pixels == colour).all(axis=-1).sum() > 100, colour
    assert not (pixels[:, 6:200] == (255, 210, 0)).all(axis=-1).any()  # the plate comes first, as it is


def test_without_pixels_the_skeleton_goes_where_the_box_is(spoilt: PackedStore, tmp_path: Path) -> None:
    (sheet,) = look(spoilt, tmp_path / "look").sheets
    pixels = np.asarray(Image.open(sheet).convert("RGB")).astype(int)
    assert (pixels == (70, 150, 255)).all(axis=-1).sum() > 100


def test_command_and_its_folder(spoilt: PackedStore, tmp_path: Path) -> None:
    out = tmp_path / "look"
    for _ in range(2):  # again: what it made itself is replaced
        result = CliRunner().invoke(app, ["data", "look", str(spoilt.path), "--out", str(out), "--json"])
        assert result.exit_code == 0 and "bad: S8 Walking camera4" in result.stderr
    facts = json.loads(result.stdout)
    assert Path(facts["page"]).is_file() and all(Path(one).is_file() for one in facts["sheets"])
    assert facts["clips"][0]["faults"] and facts["clips"][0]["figures"]["drift"] > 0.01
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "page.html").write_text("not yours")
    with pytest.raises(NotOurs):
        look(spoilt, tmp_path / "mine")
    assert (tmp_path / "mine" / "page.html").read_text() == "not yours"
