"""Stages are kept: a second run reuses them, a killed run goes on, other inputs are done anew."""

import shlex
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.measures import ATTACK
from dpa.engine.analysis.registry import analysis_of
from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.reproduce.config import QUICK, ReproduceConfig
from dpa.engine.reproduce.participants import (
    BadParticipant,
    NothingToReproduce,
    find_participants,
    find_references,
)
from dpa.engine.reproduce.plan import analyze_command, attack_command, plan, usual_stages
from dpa.engine.reproduce.run import reproduce
from dpa.engine.reproduce.stage import Stage
from dpa.engine.reproduce.work import StageWork, limits_until, spread_out
from dpa.engine.runs.errors import OtherInputs
from dpa.models.artefacts import NotOurs
from dpa.models.config import load_config
from dpa.models.training.checkpoint import NotANetwork


class Store:
    """As much of a store as the note asks for."""

    source = "planted"

    def info(self):
        return {"frames": 3}


class Workshop:
    """Three stages that count how often they are done; the one named `stop` is killed."""

    def __init__(self):
        self.done, self.stop, self.inputs = [], None, {"a": 1, "b": 1, "c": 1}
        self.resumes, self.found = False, []

    def work(self, name, run, report):
        self.found.append((run.path / "half.txt").exists())
        run.write_text("half.txt", "begun")
        if self.stop == name:
            raise KeyboardInterrupt
        self.done.append(name)
        run.write_text("whole.txt", name)

    def plan(self, work, members, references):
        return [
            Stage(
                f"stages/nsd/{name}",
                name,
                {"value": value},
                f"do {name}",
                partial(self.work, name),
                self.resumes,
            )
            for name, value in self.inputs.items()
        ]


@pytest.fixture
def workshop(monkeypatch, tmp_path, saved_network):
    shop = Workshop()
    monkeypatch.setattr("dpa.engine.reproduce.run.plan", shop.plan)
    config = ReproduceConfig(frameworks=(f"nsd={saved_network('nsd')}",), references=(), device="cpu")
    shop.out = tmp_path / "out"
    shop.run = lambda progress=None: reproduce(config, Store(), shop.out, progress=progress)
    return shop


def test_a_reference_is_attacked_and_analysed_for_the_calibration_alone(saved_network, tmp_path):
    members, _ = find_participants((f"nsd={saved_network('nsd')}", "silhouette"))
    references = find_references(("silhouette", "entangled"), members)
    assert [one.spec for one in references] == ["zoo:entangled"], "silhouette takes part already"
    (tmp_path / "manifest.json").write_text("{}")
    work = StageWork(ReproduceConfig(), SimpleNamespace(path=tmp_path), tmp_path)
    alone = {stage.path for stage in plan(work, members)}
    added = [stage.path for stage in plan(work, members, references) if stage.path not in alone]
    kinds = [path.removeprefix("stages/entangled/") for path in added]
    assert sorted(kinds) == sorted(
        ["attack-by-entangled", *(set(usual_stages(ReproduceConfig().analyses)) - {ATTACK})]
    )
    assert "iob" not in kinds


def test_an_unknown_reference_is_named():
    with pytest.raises(BadParticipant, match="reference 'nobody'"):
        find_references(("nobody",), [])


def test_a_second_run_reuses_what_is_done(workshop):
    first = workshop.run()
    assert (first.made, first.reused) == (3, 0) and workshop.done == ["a", "b", "c"]
    second = workshop.run()
    assert (second.made, second.reused) == (0, 3) and workshop.done == ["a", "b", "c"]


def test_other_inputs_are_done_anew_and_nothing_else(workshop):
    workshop.run()
    workshop.inputs["b"] = 2
    again = workshop.run()
    assert (again.made, again.reused) == (1, 2) and workshop.done == ["a", "b", "c", "b"]


def test_a_killed_run_goes_on_where_it_was(workshop):
    workshop.stop = "b"
    with pytest.raises(KeyboardInterrupt):
        workshop.run()
    assert workshop.done == ["a"]
    folder = workshop.out / "stages/nsd/b"
    assert (folder / "incomplete").exists() and (folder / "half.txt").exists()
    workshop.stop = None
    assert workshop.run().made == 2
    assert workshop.done == ["a", "b", "c"] and not (folder / "incomplete").exists()


def test_a_stage_that_resumes_finds_what_it_left_unless_its_inputs_changed(workshop):
    workshop.resumes, workshop.stop = True, "a"
    for value in (1, 1, 2):
        workshop.inputs["a"] = value
        with pytest.raises(KeyboardInterrupt):
            workshop.run()
    assert workshop.found == [False, True, False]
    workshop.stop = None
    assert workshop.run().made == 3 and workshop.found[3] and workshop.run().made == 0


def test_a_stage_that_cannot_go_on_with_what_it_left_begins_anew(workshop, monkeypatch):
    """Killed, and since then PyTorch was updated: its attack refuses to go on."""
    workshop.resumes, workshop.stop, work = True, "a", workshop.work
    with pytest.raises(KeyboardInterrupt):
        workshop.run()

    def particular(name, run, report):
        if (run.path / "half.txt").exists():
            raise OtherInputs(run.path, "the version of torch", "1", "2")
        work(name, run, report)

    workshop.stop = None
    monkeypatch.setattr(workshop, "work", particular)
    assert workshop.run().made == 3 and workshop.done == ["a", "b", "c"]


def test_a_damaged_key_is_no_result(workshop):
    workshop.run()
    (workshop.out / "stages/nsd/c/key.json").write_text("{")
    assert workshop.run().made == 1


def test_each_stage_holds_the_command_that_prints_it(workshop):
    workshop.run()
    assert (workshop.out / "stages/nsd/a/command.txt").read_text() == "do a\n"


def test_progress_names_stages_and_what_was_kept(workshop):
    workshop.run()
    workshop.inputs["c"] = 2
    told = []
    workshop.run(lambda number, count, stage, reused, done, total: told.append((number, count, reused)))
    assert list(dict.fromkeys(told)) == [(0, 3, True), (1, 3, True), (2, 3, False)]


def test_a_folder_with_other_things_in_it_is_left_alone(workshop):
    workshop.out.mkdir()
    (workshop.out / "thesis.tex").write_text("mine")
    with pytest.raises(NotOurs):
        workshop.run()
    assert [path.name for path in workshop.out.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".hidden", "", "a" * 65, "new\nline"])
def test_the_name_of_a_framework_leads_to_no_other_folder(name: str) -> None:
    with pytest.raises(BadParticipant):
        find_participants([f"{name}=zoo:nsd"])


def test_missing_networks_come_with_the_command_that_builds_them(saved_network):
    members, missing = find_participants((f"mine={saved_network('cssl')}", "nsd-no-swap"))
    assert [(one.name, one.title, one.role.framework) for one in members] == [("mine", "mine", "CSSL")]
    assert [(one.name, one.command) for one in missing] == [
        ("nsd-no-swap", "dpa-engine zoo build nsd-no-swap")
    ]


@pytest.mark.parametrize("names", [("nsdd",), (), ("mine=x", "mine=y")])
def test_unknown_and_repeated_frameworks_are_named(names, saved_network):
    folder = saved_network("nsd")
    with pytest.raises(BadParticipant):
        find_participants(
            tuple(name.replace("=x", f"={folder}").replace("=y", f"={folder}") for name in names)
        )


def test_a_path_without_a_network_is_named(tmp_path):
    with pytest.raises(NotANetwork):
        find_participants((f"mine={tmp_path}",))


def test_nothing_to_reproduce_names_the_first_command():
    with pytest.raises(NothingToReproduce, match="dpa-engine zoo build nsd-no-swap"):
        find_participants(("nsd-no-swap",))


def read_back(command, kind, words):
    """A command's settings, read by the means that the command line itself uses."""
    parts = shlex.split(command)
    sets = [value for flag, value in pairwise(parts) if flag == "--set"]
    flags = {key: parts[parts.index(flag) + 1] for flag, key in words.items() if flag in parts}
    return parts[:2], load_config(kind, None, sets, flags)


@pytest.mark.parametrize("quick", [False, True])
def test_commands_say_all_settings_of_their_stage(quick):
    config = load_config(ReproduceConfig, None, (), dict(QUICK) if quick else {})
    analysis = config.analysis(analysis_of("iob"), "zoo:nsd")
    names, found = read_back(analyze_command(analysis), AnalyzeConfig, {"--network": "network"})
    assert names == ["dpa-engine", "analyze"]
    assert found.model_copy(update={"analyses": ("iob",)}) == analysis
    assert config.analysis(None, "zoo:nsd").pool == config.pool
    attack = AttackRunConfig(
        **config.attack.model_dump(), target="zoo:nsd", generator="my net", samples=config.attacked
    )
    words = {"--target": "target", "--generator": "generator", "--protocol": "protocol"}
    assert read_back(attack_command(attack), AttackRunConfig, words)[1] == attack


def test_snapshots_are_dense_early_and_end_with_the_last_update():
    assert limits_until(0) == [0]
    assert limits_until(9) == [0, 1, 2, 3, 5, 8, 9]
    assert spread_out([4, 5, 6, 7, 8], 2) == [4, 8] and spread_out([4], 3) == [4]
    assert np.all(np.diff(limits_until(200)) > 0)
