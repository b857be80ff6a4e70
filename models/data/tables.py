"""NumPy columns to Arrow tables and back, shapes and types kept. No pickle anywhere."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def to_table(columns: Mapping[str, NDArray[np.generic]]) -> pa.Table:
    """One row for each entry of the first axis. Further axes become fixed-size lists, names a dictionary.

    Raises pa.ArrowInvalid if the columns differ in length.
    """
    return pa.table({name: _to_arrow(np.asarray(column)) for name, column in columns.items()})


def from_table(table: pa.Table) -> dict[str, NDArray[np.generic]]:
    """The inverse of `to_table`. Raises ValueError where entries are missing."""
    return {name: _from_arrow(table[name].combine_chunks(), name) for name in table.column_names}


def _to_arrow(values: NDArray[np.generic]) -> pa.Array:
    if values.dtype.kind == "U":
        known, codes = np.unique(values, return_inverse=True)
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, pa.int32()), pa.array(known.tolist(), pa.string())
        )
    array = pa.array(np.ascontiguousarray(values).reshape(-1))
    for length in reversed(values.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, length)
    return array


def _from_arrow(array: pa.Array, name: str) -> NDArray[np.generic]:
    if array.null_count:
        raise ValueError(f"column {name!r} has empty entries")
    if pa.types.is_string(array.type):
        array = array.dictionary_encode()
    if pa.types.is_dictionary(array.type):
        known: NDArray[np.generic] = np.array(array.dictionary.to_pylist(), dtype=np.str_)
        chosen: NDArray[np.generic] = known[array.indices.to_numpy()]
        return chosen
    shape = []
    while pa.types.is_fixed_size_list(array.type):
        shape.append(array.type.list_size)
        array = array.flatten()
    values: NDArray[np.generic] = array.to_numpy(zero_copy_only=False)
    return values.reshape(-1, *shape)
