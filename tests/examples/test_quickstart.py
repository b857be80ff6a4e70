"""The notebook, cell by cell, in a kernel of its own."""

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbformat (extra 'test')")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient (extra 'test')")
pytest.importorskip("ipykernel", reason="needs ipykernel (extra 'test')")

EXAMPLES = Path(__file__).parents[2] / "examples"


def said(cell: Any) -> str:
    return "".join(one.get("text", "") for one in cell.outputs if one.output_type == "stream")


def test_the_notebook_runs_and_says_what_it_promises() -> None:
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": EXAMPLES}})
    client.execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    attacked = next(said(cell) for cell in cells if "AttackConfig(max_steps=20)" in cell.source)
    assert attacked.count("success: ") == 4
    analysed = next(cell for cell in cells if "analyze(network" in cell.source)
    assert "swap_pose_shift_mm" in said(analysed) and "zero_subject_variance_left" in said(analysed)
    assert any("image/png" in one.get("data", {}) for one in analysed.outputs)
    assert "broken clauses: []" in said(cells[-1])


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
