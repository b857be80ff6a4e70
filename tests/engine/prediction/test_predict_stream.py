"""The stream from frames to rows: against a session that can be computed by hand, in every format."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dpa.engine.prediction.sources import Frame, Unreadable
from dpa.engine.prediction.stream import UnknownFormat, keep_list, open_writer, predict_stream
from dpa.engine.sessions.protocol import TorchSession


@pytest.fixture
def session(colour_session: TorchSession) -> TorchSession:
    return colour_session


def item(number: int, side: int = 8) -> Frame:
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Frame("set", number, pixels)


def truth(frame: Frame) -> np.ndarray:
    mean = frame.pixels.astype(np.float64).mean(axis=(0, 1)) / 255
    return mean[None, :] + 10 * np.arange(17)[:, None]


def rows_of(path: Path) -> list[tuple[str, int, np.ndarray, np.ndarray]]:
    """(source, index, pose, box) of each row, whatever the format."""
    if path.suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [(r["source"], r["index"], np.array(r["pose_mm"]), np.array(r["box"])) for r in lines]
    if path.suffix == ".parquet":
        lines = pq.read_table(path).to_pylist()
        poses = [np.array(r["pose_mm"]).reshape(17, 3) for r in lines]
        return [(r["source"], r["index"], p, np.array(r["box"])) for r, p in zip(lines, poses, strict=True)]
    header, *lines = csv.reader(path.open(newline=""))
    assert header[2:5] == ["hip_x", "hip_y", "hip_z"] and len(header) == 2 + 51 + 4
    numbers = [np.array(line[2:], dtype=float) for line in lines]
    return [(r[0], int(r[1]), n[:51].reshape(17, 3), n[51:]) for r, n in zip(lines, numbers, strict=True)]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_every_frame_becomes_a_row_in_order(session, tmp_path: Path, suffix: str, batch: int) -> None:
    items = [item(n) for n in range(11)]
    out = tmp_path / f"poses{suffix}"
    with open_writer(out) as write:
        tally = predict_stream(session, items, write, batch)
    assert tally.predicted == 11 and not tally.quarantined and tally.images_per_s > 0
    rows = rows_of(out)
    assert [(source, index) for source, index, _, _ in rows] == [("set", n) for n in range(11)]
    for frame, (_, _, pose, box) in zip(items, rows, strict=True):
        np.testing.assert_allclose(pose, truth(frame), atol=6e-4)
        np.testing.assert_allclose(box, truth(frame)[0, 0], atol=6e-6)


def test_sizes_may_change_and_bad_items_are_set_aside(session, tmp_path: Path) -> None:
    bad = [Unreadable("x.jpg", 0, "cut"), Unreadable("y.jpg", 0, "empty")]
    items = [item(0), bad[0], item(1), item(2, side=12), item(3, side=12), bad[1], item(4)]
    batches = []
    tally = predict_stream(session, items, batches.append, batch=8)
    assert [batch.indices for batch in batches] == [[0, 1], [2, 3], [4]]
    assert tally.quarantined == bad and tally.predicted == 5
    kept = keep_list(tmp_path / "poses.csv", tally.quarantined)
    assert kept is not None
    assert [json.loads(line)["source"] for line in kept.read_text().splitlines()] == ["x.jpg", "y.jpg"]
    assert keep_list(tmp_path / "poses.csv", []) is None and not kept.exists()


def test_memory_holds_one_batch_at_most(session) -> None:
    """Frames are asked for one batch at a time, never ahead of what has been written."""
    asked = []

    def endless():
        for number in range(50):
            asked.append(number)
            yield item(number)

    written = []

    def write(batch) -> None:
        written.extend(batch.indices)
        assert len(asked) - len(written) == 0

    tally = predict_stream(session, endless(), write, batch=5)
    assert written == list(range(50))
    assert (tally.first_mb is None) == (tally.last_mb is None) and (tally.last_mb or 100) > 10


def test_a_stream_that_breaks_leaves_no_file(session, tmp_path: Path) -> None:
    def breaking():
        yield item(0)
        raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError), open_writer(tmp_path / "poses.jsonl") as write:
        predict_stream(session, breaking(), write, batch=1)
    assert not list(tmp_path.iterdir())


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match=r"poses\.xml"), open_writer(tmp_path / "poses.xml"):
        pytest.fail("opened a format that does not exist")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_pose_that_is_no_number_is_counted_and_never_written(
    session, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = session.run

    def broken_run(feeds, *more):
        made = sound(feeds, *more)
        made["pose"][1::2, 4, 2] = np.inf
        return made

    monkeypatch.setattr(session, "run", broken_run)
    out = tmp_path / f"poses{suffix}"
    with open_writer(out) as write:
        tally = predict_stream(session, [item(n) for n in range(5)], write, 4)
    assert (tally.predicted, tally.nonfinite) == (3, 2)
    assert [(bad.source, bad.index) for bad in tally.quarantined] == [("set", 1), ("set", 3)]
    assert [index for _, index, _, _ in rows_of(out)] == [0, 2, 4]
    assert "nan" not in out.read_bytes().decode(errors="replace").lower() or suffix == ".parquet"
