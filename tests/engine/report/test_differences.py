"""Networks that differ, and networks that do not, on frames that both saw."""

from pathlib import Path

import numpy as np
import pytest

from dpa.engine.report.attack_runs import AttackRun, Role
from dpa.engine.report.differences import differences
from dpa.engine.report.renderers import lines

CLIPS = np.repeat(np.arange(40), 2)


def run(name, final, index=None, success=0.5):
    rng = np.random.default_rng(len(name))
    samples = {
        "index": np.arange(80) if index is None else index,
        "sequence": CLIPS,
        "success": rng.random(80) < success,
        "final_error_mm": final,
    }
    role = Role(name, "NSD")
    return AttackRun(Path(name), {}, samples, "", "", role, role)


def frames_differ(seed=0):
    """Frames are far apart from one another, as some poses are easier to break than others."""
    return np.random.default_rng(seed).normal(size=40)[CLIPS] * 500


def test_a_small_difference_is_seen_because_it_is_paired():
    hard = frames_differ()
    table = differences([run("a", hard + 5), run("b", hard)])
    (row,) = lines(table)
    heads = [column.heading for column in table.columns]
    told = dict(zip(heads, row, strict=True))
    assert told["networks"] == "a − b" and told["final (mm)"] == "5.0 (5.0 to 5.0)"
    assert told["PSNR of the frame (dB)"] == "–"


def test_where_there_is_none_the_table_says_so():
    table = differences([run("a", frames_differ(1)), run("b", frames_differ(2))])
    cell = next(
        cell for column, cell in zip(table.columns, table.rows[0], strict=True) if "final" in column.of
    )
    low, high = cell.interval
    assert low < 0 < high and "no difference" in lines(table)[0][3]
    assert cell.value == pytest.approx((frames_differ(1) - frames_differ(2)).mean())


def test_other_frames_are_not_compared():
    assert differences([run("a", frames_differ()), run("b", frames_differ(), np.arange(80) + 1)]) is None
