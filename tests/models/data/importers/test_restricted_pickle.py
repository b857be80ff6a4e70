"""Pickles are read without running them: arrays come back, all else is refused."""

import collections
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpa.models.data.importers.annotation_files import load_arrays
from dpa.models.data.importers.catalogue import BrokenAnnotations, RefusedPickle

CAMERAS = {
    ("S1", "54138969"): {
        "R": np.arange(9.0).reshape(3, 3).T,
        "T": np.arange(3, dtype=">f4")[:, None],
        "w": 1000,
        "h": np.int64(1002),
        "f": np.float32(1145.5),
        "name": "camera1",
        "ids": ["a", ("b", 2.5), None, True, b"bytes"],
        "text": np.array(["ab", "c"]),
    }
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_come_back(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "cameras.pkl"
    file.write_bytes(pickle.dumps(CAMERAS, protocol))
    found = load_arrays(file)[("S1", "54138969")]
    for name, value in CAMERAS[("S1", "54138969")].items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value and type(found[name]) is type(value)


class Calls:
    """Pickles as a call of the function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def touches(path: Path) -> Calls:
    return Calls(exec, f"open({str(path)!r}, 'w').close()")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    file, touched = tmp_path / "cameras.pkl", tmp_path / "touched"
    file.write_bytes(pickle.dumps({"a": {"R": touches(touched)}}, protocol))
    with pytest.raises(RefusedPickle, match=r"asks for \w+\.exec") as caught:
        load_arrays(file)
    assert caught.value.exit_code == 2 and not touched.exists()
    pickle.loads(file.read_bytes())  # the exploit is real
    assert touched.exists()


@pytest.mark.parametrize(
    "value",
    [
        collections.OrderedDict(a=1),
        np.load,
        np.random.default_rng(0),
        np.array([{"a": 1}], dtype=object),
        np.zeros(2, dtype=[("a", "f4"), ("b", "f4")]),
        np.ma.masked_array([1.0]),
        np.datetime64("2020-01-01"),
        Path("x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_array_is_refused(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "cameras.pkl"
    file.write_bytes(pickle.dumps({"R": value}, 4))
    with pytest.raises(RefusedPickle):
        load_arrays(file)


def test_an_array_hidden_in_an_object_array_is_refused(tmp_path: Path) -> None:
    hidden = np.empty(1, dtype=object)
    hidden[0] = touches(tmp_path / "touched")
    file = tmp_path / "cameras.pkl"
    file.write_bytes(pickle.dumps(hidden, 2))
    with pytest.raises(RefusedPickle):
        load_arrays(file)
    assert not (tmp_path / "touched").exists()


def test_a_damaged_pickle_is_named(tmp_path: Path) -> None:
    whole = pickle.dumps(CAMERAS, 4)
    file = tmp_path / "cameras.pkl"
    for damaged in (whole[:-40], b"", b"not a pickle", whole.replace(b"\x85", b"\x52", 1)):
        file.write_bytes(damaged)
        with pytest.raises((BrokenAnnotations, RefusedPickle), match=r"cameras\.pkl"):
            load_arrays(file)
    with pytest.raises(BrokenAnnotations):
        load_arrays(tmp_path / "absent.pkl")


def test_every_damaged_byte_is_an_error_or_data(tmp_path: Path) -> None:
    """Whatever one byte turns into, nothing but the two errors comes out, or plain data."""
    whole = bytearray(pickle.dumps({("S1", "1"): {"R": np.eye(2)}}, 4))
    file = tmp_path / "cameras.pkl"
    rng = np.random.default_rng(0)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] = rng.integers(256)
        file.write_bytes(damaged)
        try:
            load_arrays(file)
        except (BrokenAnnotations, RefusedPickle):
            continue
