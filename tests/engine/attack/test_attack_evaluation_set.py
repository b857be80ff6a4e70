"""The default evaluation set: made once, spread evenly, of motions that no training uses."""

import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dpa.engine import evaluation_set
from dpa.engine.cache import cache_folder
from dpa.engine.evaluation_set import (
    choose_samples,
    default_evaluation_set,
    evaluation_config,
    recipe_key,
    set_key,
)
from dpa.engine.reproduce.plan import evaluate_command
from dpa.models.data import synthetic
from dpa.models.data.synthetic.config import generator_fingerprint


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


@pytest.mark.parametrize("changed", ["worker.py", "motion/walking.py", "body.npz", "new.py"])
def test_a_changed_generator_makes_the_set_anew(monkeypatch, tmp_path, tiny_store_at, changed):
    """Stands in for `generate` and for the generator's folder; the cache is the real one."""
    folder = tmp_path / "synthetic"
    shutil.copytree(Path(synthetic.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    copied = generator_fingerprint(folder)
    assert copied == generator_fingerprint()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/worker.cpython-313.pyc").write_bytes(b"compiled")
    with (folder / changed).open("ab") as file:
        file.write(b"\n")
    edited = generator_fingerprint.__wrapped__(folder)
    assert edited != copied

    monkeypatch.setenv("DPA_CACHE", str(tmp_path / "cache"))
    made = []

    def generate(config, out, progress):
        made.append(out)
        return tiny_store_at(out)

    monkeypatch.setattr(evaluation_set, "generate", generate)
    for told in (copied, edited, copied):
        monkeypatch.setattr(evaluation_set, "generator_fingerprint", lambda told=told: told)
        default_evaluation_set()
    assert len(made) == len(set(made)) == 2


def test_compiled_files_and_where_the_package_lies_do_not_count(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one.py").write_text("1")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/one.cpython-313.pyc").write_text("2")
    assert generator_fingerprint(tmp_path / "a") == generator_fingerprint(tmp_path / "b")
    shutil.move(tmp_path / "b/one.py", tmp_path / "b/two.py")
    assert generator_fingerprint.__wrapped__(tmp_path / "b") != generator_fingerprint(tmp_path / "a")


def test_the_key_in_a_printed_command_is_the_sets_own(monkeypatch):
    monkeypatch.setattr(evaluation_set, "generator_fingerprint", lambda: "another")
    assert evaluate_command("zoo:nsd", None).endswith(f"/evaluation-{set_key(evaluation_config())}")


def test_the_set_has_the_papers_subjects_and_frames_enough():
    config = evaluation_config()
    assert config.subjects == ("S1", "S5", "S6", "S7", "S8")
    assert len(config.subjects) * len(config.actions) * config.clips * config.frames * 4 >= 256
