"""`from dpa.engine import …`: every public name is there, light until it is asked for."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dpa
import dpa.engine
from dpa.engine import (
    AnalyzeConfig,
    Outcome,
    PackedStore,
    SynthConfig,
    analyze,
    api,
    generate,
    load_network,
    take_samples,
)
from dpa.engine.analysis.registry import UnknownAnalysis
from dpa.engine.sessions.protocol import TorchSession
from dpa.models.frameworks.base import DisentangledNetwork

LIGHT = """
import json, sys
import dpa, dpa.engine
before = sorted({"torch", "numpy", "matplotlib", "scipy"} & set(sys.modules))
from dpa.engine import AttackConfig
print(json.dumps([before, AttackConfig().min_error_mm, sorted(set(dir(dpa)) & set(dir(dpa.engine)))]))
"""


def test_importing_the_package_is_light_and_its_names_come_when_asked_for() -> None:
    ran = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    heavy, threshold, names = json.loads(ran.stdout)
    assert heavy == [] and threshold == 175
    assert set(names) >= set(api.__all__) - {"attack", "reproduce"}


def test_every_public_name_is_documented_and_listed() -> None:
    for name in api.__all__:
        assert getattr(dpa, name).__doc__, name
        assert name in dir(dpa)
        if name not in ("attack", "reproduce"):
            assert getattr(dpa.engine, name) is getattr(dpa, name)


def test_what_is_a_room_stays_a_room() -> None:
    from dpa import attack
    from dpa.engine import attack as room

    assert callable(attack) and room.__name__ == "dpa.engine.attack"


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
    monkeypatch.chdir(Path(__file__).parents[3])
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


def test_an_attack_from_python_is_a_run_of_the_command(
    people: PackedStore, own: DisentangledNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpa.engine.api.attack.cached_pose_session", lambda network: network.predict)
    monkeypatch.setattr("dpa.engine.api.attack.load_network", lambda name: own)
    told: list[tuple[int, int]] = []
    done = dpa.attack(
        "examples.own_framework:load",
        people.path,
        out=tmp_path / "run",
        samples=4,
        max_steps=1,
        batch=4,
        backend="eager",
        progress=lambda finished, succeeded: told.append((finished, succeeded)),
    )
    assert done.results["n"] == 4 and told[-1][0] == 4
    assert json.loads((done.path / "results.json").read_text()) == json.loads(json.dumps(done.results))
    assert done.report.is_file() and (done.path / "command.txt").is_file()


def test_poses_from_python_come_in_order(
    own: DisentangledNetwork,
    colour_session: TorchSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = own.config
    monkeypatch.setattr("dpa.engine.api.commands.cached_pose_engine", lambda network: colour_session)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for name, shade in (("a.png", 10), ("c.png", 200)):
        Image.new("RGB", (40, 30), (shade, shade, shade)).save(tmp_path / name)
    made = dpa.predict(tmp_path, own, batch=1, size=sizes.crop_size)
    assert [Path(one).name for one in made.sources] == ["a.png", "c.png"]
    assert made.poses.shape == (2, 17, 3) and made.boxes.shape == (2, 4)
    assert made.poses[0, 0, 0] < made.poses[1, 0, 0], "the brighter picture came second"
    assert [Path(bad.source).name for bad in made.unreadable] == ["broken.png"]
