"""Success against reach: a larger ball holds every code of a smaller one, and table and figure show what was
measured."""

import numpy as np
import pytest

from dpa.engine.analysis.analyses.curve import BUDGETS, CurveConfig, curve_point, draw, run
from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.study import Study
from dpa.engine.attack.appearance import measure_appearance
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.evidence import BASELINES
from dpa.engine.drawing.grid import Shown
from dpa.engine.evaluation_set import samples_at


@pytest.fixture
def study(tiny_world, tiny_store) -> Study:
    network = tiny_world(4).network.float()
    options = {"curve": {"frames": 6, "max_steps": 4, "backend": "eager", "witness": ""}}
    config = AnalyzeConfig(analyses=("curve",), source=tiny_store.path, options=options, subjects=("S1",))
    return Study(network, tiny_store, config, next(network.parameters()).device, "tiny")


def test_one_command_measures_every_radius_with_its_baselines(study) -> None:
    outcome = run(study, lambda done, total: None)
    assert CurveConfig.model_validate(study.config.options["curve"]).frames == 6
    table = outcome.tables["curve"]
    assert [row[0].words for row in table.rows] == list(BUDGETS)
    radii = outcome.arrays["radii"]
    assert (np.diff(radii[:5]) >= 0).all() and np.isinf(radii[-1])
    assert outcome.arrays["beyond"][:4].max() == 0  # nobody's code lies inside the balls of real ones
    for name in BASELINES:
        assert ((outcome.arrays[name] >= 0) & (outcome.arrays[name] <= 1)).all()
    figure = draw([Shown("tiny", outcome.summary, outcome.arrays)], True)
    (axis,) = figure.axes
    drawn = {line.get_label(): line.get_ydata() for line in axis.get_lines()}
    np.testing.assert_allclose(drawn["success"], 100 * outcome.arrays["success"])


def test_nothing_succeeds_where_every_start_is_above_the_threshold(study) -> None:
    store, network = study.store, study.network
    rows = np.flatnonzero(store.sequence < 1)
    real = measure_appearance(network, store, np.flatnonzero(store.sequence >= 1), study.device)
    config = AttackConfig(budget="max", min_error_mm=1e-3, max_steps=2, backend="eager")
    found = curve_point(network, samples_at(store, rows), store.subject[rows], real, config, None)
    assert not any(found[name].any() for name in ("success", "clean", *BASELINES))
