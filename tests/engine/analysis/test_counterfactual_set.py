"""The generated data of the counterfactual: clothes are all that differs."""

import numpy as np
import pytest

from dpa.engine.analysis.analyses import counterfactual
from dpa.engine.analysis.analyses.counterfactual import (
    DifferentMoments,
    counterfactual_config,
    counterfactual_stores,
    require_same_moments,
)


@pytest.fixture(scope="module")
def small_stores(tmp_path_factory):
    """One body, one action, four cameras, two outfits, at 48² px."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DPA_CACHE", str(tmp_path_factory.mktemp("cache")))
    full = counterfactual_config
    patch.setattr(
        counterfactual,
        "counterfactual_config",
        lambda outfit: full(outfit).model_copy(
            update={"subjects": ("S1",), "actions": ("Eating",), "size": 48, "workers": 1}
        ),
    )
    counted = []
    stores = counterfactual_stores(("S1", "S5"), lambda *at: counted.append(at))
    again = counterfactual_stores(("S1", "S5"), lambda *at: counted.append("again"))
    patch.undo()
    assert [store.path for store in again.values()] == [store.path for store in stores.values()]
    assert counted[-1] == (4, 4)
    return stores


def test_only_clothes_differ(small_stores):
    one, other = small_stores.values()
    require_same_moments(one, other)
    assert (one.outfit != other.outfit).all()
    np.testing.assert_array_equal(one.plates, other.plates)
    np.testing.assert_array_equal(one.poses, other.poses)
    np.testing.assert_array_equal(one.box, other.box)
    change = np.abs(one.frames.astype(int) - other.frames).max(axis=-1)
    rows = np.arange(4)
    person = one.silhouettes(rows) | other.silhouettes(rows)
    assert change[person].mean() > 20
    # far from the person, shadows and all, not one pixel changes
    assert np.median(change[~person]) == 0


def test_other_moments_are_refused(small_stores, planted, planted_outfits):
    one = next(iter(small_stores.values()))
    with pytest.raises(DifferentMoments, match="subject"):
        require_same_moments(one, planted.store)
    other = next(iter(planted_outfits.values()))
    require_same_moments(planted.store, other)
    moved = np.array(other.poses)
    moved[3] += 5
    changed = type("Store", (), {**vars(other), "poses": moved})
    with pytest.raises(DifferentMoments, match="pose"):
        require_same_moments(planted.store, changed)


def test_the_default_recipe_differs_in_the_outfit_alone():
    one, other = (counterfactual_config(name).model_dump() for name in ("S1", "S8"))
    assert {name for name in one if one[name] != other[name]} == {"outfit"}
