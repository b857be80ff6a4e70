"""`from dpa.engine import …`: every public name is there, light until it is asked for."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import dpa.engine
from dpa.engine import (
    AnalyzeConfig,
    Outcome,
    PackedStore,
    SynthConfig,
    analyze,
    generate,
    load_network,
    take_samples,
)
from dpa.engine.analysis.registry import UnknownAnalysis
from dpa.models.frameworks.base import DisentangledNetwork

LIGHT = """
import json, sys
import dpa.engine
before = sorted({"torch", "numpy", "matplotlib", "scipy"} & set(sys.modules))
from dpa.engine import AttackConfig
print(json.dumps([before, AttackConfig().min_error_mm, sorted(dpa.engine.__all__)]))
"""


def test_importing_the_package_is_light_and_its_names_come_when_asked_for() -> None:
    ran = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    heavy, threshold, names = json.loads(ran.stdout)
    assert heavy == [] and threshold == 175
    assert names == sorted(dpa.engine._HOME)


def test_every_public_name_is_documented_and_listed() -> None:
    for name in dpa.engine.__all__:
        assert getattr(dpa.engine, name).__doc__, name
        assert name in dir(dpa.engine)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'analyse_everything'"):
        dpa.engine.analyse_everything  # noqa: B018


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    settings = SynthConfig(
        subjects=("S1", "S5"), actions=("Walking",), clips=1, frames=2, fps=1, size=48, seed=5, workers=1
    )
    return generate(settings, tmp_path_factory.mktemp("people") / "data")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> DisentangledNetwork:
    monkeypatch.chdir(Path(__file__).parents[2])
    return load_network("examples.own_framework:load")


def test_samples_are_rows_of_the_store(people: PackedStore) -> None:
    samples = take_samples(people, 3, subjects=["S5"])
    assert set(people.subject[samples.rows]) == {"S5"} and len(samples.frames) == 3
    torch.testing.assert_close(samples.frames, people.frames_at(samples.rows))
    assert samples.plate_index.tolist() == people.plate[samples.rows].tolist()
    np.testing.assert_array_equal(samples.poses.numpy(), people.poses[samples.rows])


def test_analyze_gives_outcomes_by_name_in_the_papers_order(
    people: PackedStore, own: DisentangledNetwork
) -> None:
    seen: list[str] = []
    outcomes = analyze(
        own,
        ["dc", "zero"],
        data=people,
        config=AnalyzeConfig(samples=8, pool=8, permutations=9),
        progress=lambda name, done, total: seen.append(name),
    )
    assert list(outcomes) == ["zero", "dc"]
    assert all(isinstance(one, Outcome) and one.figures and one.tables for one in outcomes.values())
    assert 0 <= outcomes["dc"].summary["dc"] <= 1


def test_analyze_names_an_unknown_analysis(people: PackedStore, own: DisentangledNetwork) -> None:
    with pytest.raises(UnknownAnalysis):
        analyze(own, ["dcc"], data=people)
