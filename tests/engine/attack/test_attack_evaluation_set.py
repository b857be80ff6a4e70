"""The default evaluation set: made once, spread evenly, of motions that no training uses."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from dpa.engine import evaluation_set
from dpa.engine.cache import cache_folder
from dpa.engine.evaluation_set import choose_samples, default_evaluation_set, evaluation_config, recipe_key


class Table(SimpleNamespace):
    """The columns of a store that choosing needs."""

    def select(self, subjects=None):
        everything = np.arange(len(self.subject))
        return everything if subjects is None else everything[np.isin(self.subject, subjects)]


@pytest.fixture
def table():
    rows = [(f"S{s}", a, c) for s in (1, 5, 6) for a in "abcde" for c in range(4) for _ in range(3)]
    subject, action, camera = zip(*rows, strict=True)
    return Table(subject=np.array(subject), action=np.array(action), camera=np.array(camera))


def test_samples_are_spread_over_subjects_actions_and_views(table):
    rows = choose_samples(table, 61, seed=0)
    assert len(set(rows.tolist())) == 61
    assert rows.tolist() == sorted(rows)
    assert sorted(Counter(table.subject[rows]).values()) == [20, 20, 21]
    for subject in ("S1", "S5", "S6"):
        of_subject = rows[table.subject[rows] == subject]
        assert set(Counter(table.action[of_subject]).values()) <= {4, 5}
        views = Counter(zip(table.action[of_subject], table.camera[of_subject], strict=True))
        assert len(views) == 20


def test_the_seed_draws_other_frames_of_the_same_spread(table):
    first, again, other = (choose_samples(table, 30, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_fewer_frames_than_asked_for_are_all_taken(table):
    assert len(choose_samples(table, 1000, seed=0, subjects=["S5"])) == 60


def test_the_set_is_made_once(monkeypatch, tmp_path, tiny_store_at):
    monkeypatch.setenv("DPA_CACHE", str(tmp_path))
    made = []

    def generate(config, out, progress):
        made.append(config)
        return tiny_store_at(out)

    monkeypatch.setattr(evaluation_set, "generate", generate)
    first, second = default_evaluation_set(), default_evaluation_set()
    assert len(made) == 1
    assert first.path == second.path
    assert first.path.parent == cache_folder() == tmp_path


def test_the_recipe_decides_the_folder_but_not_the_number_of_workers():
    config = evaluation_config()
    assert recipe_key(config) == recipe_key(config.model_copy(update={"workers": 63}))
    assert recipe_key(config) != recipe_key(config.model_copy(update={"seed": 1}))


def test_the_set_has_the_papers_subjects_and_frames_enough():
    config = evaluation_config()
    assert config.subjects == ("S1", "S5", "S6", "S7", "S8")
    assert len(config.subjects) * len(config.actions) * config.clips * config.frames * 4 >= 256
