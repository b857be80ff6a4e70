"""NumPy columns survive Arrow and Parquet with their shapes and types."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dpa.models.data.tables import from_table, to_table


def test_columns_come_back_from_parquet() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "names": np.array(["b", "", "Ünal", "b"]),
        "flags": np.array([True, False, False, True]),
        "numbers": np.arange(4, dtype=np.int32)[::-1],
        "poses": rng.normal(size=(4, 17, 3)).astype(np.float32),
        "boxes": rng.normal(size=(8, 4))[::2],
        "images": rng.integers(0, 256, (4, 5, 6, 3), dtype=np.uint8),
    }
    file = io.BytesIO()
    pq.write_table(to_table(columns), file)
    found = from_table(pq.read_table(file))
    assert list(found) == list(columns)
    for name, column in columns.items():
        assert found[name].shape == column.shape
        assert found[name].dtype.kind == "U" or found[name].dtype == column.dtype
        np.testing.assert_array_equal(found[name], column)


def test_no_rows_are_a_table_too() -> None:
    found = from_table(to_table({"poses": np.zeros((0, 17, 3)), "names": np.zeros(0, np.str_)}))
    assert found["poses"].shape == (0, 17, 3) and found["names"].shape == (0,)


def test_columns_of_different_lengths() -> None:
    with pytest.raises(pa.ArrowInvalid):
        to_table({"a": np.zeros(2), "b": np.zeros(3)})


def test_empty_entries() -> None:
    with pytest.raises(ValueError, match="'a' has empty entries"):
        from_table(pa.table({"a": [1, None]}))
