"""MPI-INF-3DHP's layout: MATLAB cells, Skeletool calibration and films to train on, HDF5 to test on."""

import shutil
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pytest
from scipy.io import savemat

from dpa.models.data.importers.catalogue import NotThisLayout
from dpa.models.data.importers.mpi_inf_3dhp import read_mpi_inf_3dhp
from dpa.models.data.importers.video import read_videos

CELLS = 14
PLACES_28 = (4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16)
"""Where the contract's 17 lie: pelvis, right hip …, spine, neck, head, head top, left shoulder …"""

PLACES_17 = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)


def film(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0"))
            )
        container.mux(stream.encode())


def cells(values: dict[int, np.ndarray], axes: int) -> np.ndarray:
    """A MATLAB cell array with one of [n, 28·axes] a camera."""
    made = np.empty((CELLS, 1), dtype=object)
    for camera in range(CELLS):
        full = np.zeros((9, 28, axes))
        if camera in values:
            full[:, PLACES_28] = values[camera]
        made[camera, 0] = full.reshape(9, -1)
    return made


@pytest.fixture(scope="module")
def tree(scene: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("mpi") / "src"
    folder = root / "train" / "S1" / "Seq2"
    lines = ["Skeletool Camera Calibration File V1.0"]
    shots = scene.of("S1", "Walking")
    for shot in shots:
        film(folder / "imageSequence" / f"video_{shot.camera}.avi", shot.frames)
        lens = scene.store.cameras[shot.camera]
        inside, outside = np.eye(4), np.eye(4)
        inside[:3, :3] = lens.intrinsics
        outside[:3, :3], outside[:3, 3] = lens.rotation, lens.translation
        lines += [
            f"name          {shot.camera}",
            "  sensor      10 10",
            "  size        64 64",
            "  animated    0",
            "  intrinsic   " + " ".join(repr(float(v)) for v in inside.flat) + " ",
            "  extrinsic   " + " ".join(repr(float(v)) for v in outside.flat) + " ",
            "  radial      0",
        ]
    (folder / "camera.calibration").write_text("\n".join(lines) + "\n")
    poses, pixels = ({shot.camera: getattr(shot, name) for shot in shots} for name in ("poses", "pixels"))
    savemat(folder / "annot.mat", {"annot3": cells(poses, 3), "annot2": cells(pixels, 2)})
    for name, shot, turned in (
        ("TS1", scene.of("S11", "Walking")[1], True),
        ("TS5", scene.of("S11", "Photo")[2], False),
    ):
        test = root / "test" / name
        for n, frame in enumerate(shot.frames):
            scene.save(test / "imageSequence" / f"img_{n + 1:06d}.jpg", frame)
        with h5py.File(test / "annot_data.mat", "w") as file:
            valid = np.ones((9, 1))
            valid[[2, 3]] = 0
            values = {"valid_frame": valid}
            for key, points in (("annot3", shot.poses), ("annot2", shot.pixels)):
                full = np.zeros((9, 1, 17, points.shape[-1]))
                full[:, 0, PLACES_17] = points
                values[key] = full
            for key, value in values.items():
                file[key] = value.T if turned else value
    return root


@pytest.fixture(scope="module")
def imported(tree: Path, pack: Any) -> Any:
    return pack(read_mpi_inf_3dhp(tree), tree.parent / "store")


def test_the_training_set_comes_back_without_loss(scene: Any, imported: Any) -> None:
    store, report = imported
    assert report.quarantined == report.skipped == ()
    for shot in scene.of("S1", "Walking"):
        lens = [camera.name for camera in store.cameras].index(f"S1.Seq2.video_{shot.camera}")
        rows = np.flatnonzero(store.camera == lens)
        np.testing.assert_array_equal(store.frames_u8_at(rows), shot.frames)
        np.testing.assert_array_equal(store.frame[rows], np.arange(9))
        np.testing.assert_allclose(store.time[rows], np.arange(9) / 25)
        np.testing.assert_allclose(store.poses[rows], shot.poses - shot.poses[:, :1], atol=1e-2)
        np.testing.assert_allclose(store.cameras[lens].project(shot.world), shot.pixels, atol=1e-6)
    assert len(np.unique(store.sequence[store.subject == "S1"])) == 1


def test_the_test_set_comes_back(scene: Any, imported: Any) -> None:
    """Only valid frames; intrinsics from the joints; axes either way round."""
    store, _ = imported
    for name, shot in (("TS1", scene.of("S11", "Walking")[1]), ("TS5", scene.of("S11", "Photo")[2])):
        rows = np.flatnonzero(store.subject == name)
        valid = np.array([0, 1, 4, 5, 6, 7, 8])
        np.testing.assert_array_equal(store.frame[rows], valid)
        np.testing.assert_allclose(store.poses[rows], (shot.poses - shot.poses[:, :1])[valid], atol=1e-2)
        assert np.abs(store.frames_u8_at(rows).astype(int) - shot.frames[valid]).mean() < 3
        lens = store.cameras[store.camera[rows[0]]]
        np.testing.assert_allclose(lens.intrinsics, scene.store.cameras[shot.camera].intrinsics, atol=1e-6)


SPELLINGS = ("imageSequence/video_{}/img_{:06d}.jpg", "imageFrames/video_{}/frame_{:06d}.jpg")
SPELLINGS += ("imageSequence/img_{}_{:06d}.jpg",)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("films_left", [0, 2])
def test_extracted_frames_come_back_beside_films(
    scene: Any, tree: Path, pack: Any, tmp_path: Path, spelling: str, films_left: int
) -> None:
    """Some cameras as films, the others as frames, one of which ends early."""
    source = Path(shutil.copytree(tree, tmp_path / "src"))
    folder = source / "train" / "S1" / "Seq2"
    shots = scene.of("S1", "Walking")
    for shot in shots[films_left:]:
        (folder / "imageSequence" / f"video_{shot.camera}.avi").unlink()
        for n, frame in enumerate(shot.frames[: 6 if shot.camera == 3 else None]):
            scene.save(folder / spelling.format(shot.camera, n + 1), frame)
    catalogue = read_mpi_inf_3dhp(source)
    assert catalogue.skipped == ()
    store, report = pack(catalogue, tmp_path / "store")
    assert report.quarantined == ()
    for shot in shots:
        rows = np.flatnonzero(
            store.camera == [c.name for c in store.cameras].index(f"S1.Seq2.video_{shot.camera}")
        )
        kept = np.arange(6 if shot.camera == 3 else 9)
        assert np.abs(store.frames_u8_at(rows).astype(int) - shot.frames[kept]).mean() < 3
        np.testing.assert_allclose(store.poses[rows], (shot.poses - shot.poses[:, :1])[kept], atol=1e-2)
        np.testing.assert_array_equal(store.frame[rows], kept)
    assert set(store.outfit[store.subject == "S1"]) == {"S1 Seq2"}


def test_what_is_no_known_spelling_is_named(scene: Any, tree: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tree, tmp_path / "src"))
    places = source / "train" / "S1" / "Seq2" / "imageSequence"
    (places / "video_1.avi").unlink()
    (places / "video_1").mkdir()
    (places / "video_1" / "Image1.jpg").write_bytes(b"")
    catalogue = read_mpi_inf_3dhp(source)
    assert [Path(name).name for name, _ in catalogue.skipped] == ["video_1"] and len(catalogue.views) == 5
    shutil.rmtree(places)
    places.mkdir()
    (places / "a.jpg").write_bytes(b"")
    assert [Path(name).name for name, _ in read_mpi_inf_3dhp(source).skipped] == ["imageSequence"]


def test_a_test_set_inside_a_folder_of_its_own_name(tree: Path, tmp_path: Path) -> None:
    nested = tmp_path / "mpi_inf_3dhp_test_set" / "mpi_inf_3dhp_test_set"
    shutil.copytree(tree / "test", nested)
    for source in (tmp_path, tmp_path / "mpi_inf_3dhp_test_set", nested):
        assert {view.subject for view in read_mpi_inf_3dhp(source).views} == {"TS1", "TS5"}


@pytest.mark.parametrize("as_film", [True, False])
def test_masks_from_the_disk_are_the_silhouettes(
    scene: Any, tree: Path, pack: Any, tmp_path: Path, as_film: bool
) -> None:
    source = Path(shutil.copytree(tree / "train", tmp_path / "src"))
    shots = scene.of("S1", "Walking")
    for shot in shots:
        masks = np.repeat(255 * shot.silhouettes[..., None].astype(np.uint8), 3, axis=-1)
        place = source / "S1" / "Seq2" / "FGmasks" / f"video_{shot.camera}"
        if as_film:
            film(place.with_suffix(".avi"), masks)
        else:
            for n, mask in enumerate(masks):
                scene.save(place / f"img_{n + 1:06d}.png", mask)
    store, _ = pack(read_mpi_inf_3dhp(source), tmp_path / "store")
    for shot in shots:
        rows = np.flatnonzero(
            store.camera == [c.name for c in store.cameras].index(f"S1.Seq2.video_{shot.camera}")
        )
        np.testing.assert_array_equal(store.silhouettes(rows), shot.silhouettes)


def test_a_film_that_breaks_off_is_told_frame_by_frame(scene: Any, pack: Any, tmp_path: Path) -> None:
    path = tmp_path / "src" / "a.avi"
    film(path, scene.of("S1", "Walking")[0].frames)
    whole = path.read_bytes()
    catalogue = read_videos(path.parent)
    path.write_bytes(whole[: len(whole) // 2])
    store, report = pack(catalogue, tmp_path / "store")
    assert 0 < len(store) < 9 and len(store) + len(report.quarantined) == 9
    last = report.quarantined[-1]
    assert last.name == f"{path}#8" and last.reason


def test_broken_sequences_are_skipped_and_named(tree: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tree, tmp_path / "src"))
    (source / "train" / "S1" / "Seq2" / "camera.calibration").write_text(
        "Skeletool\nname 0\n intrinsic 1 2\n"
    )
    (source / "test" / "TS1" / "annot_data.mat").write_bytes(b"no HDF5")
    catalogue = read_mpi_inf_3dhp(source)
    assert {view.subject for view in catalogue.views} == {"TS5"}
    assert [name for name, _ in catalogue.skipped] == ["S1 Seq2", "TS1"]
    (source / "train" / "S1" / "Seq2" / "annot.mat").write_bytes(b"no MATLAB")
    assert "annot.mat" in read_mpi_inf_3dhp(source).skipped[0][1]


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotThisLayout, match=r"annot\.mat"):
        read_mpi_inf_3dhp(tmp_path)
