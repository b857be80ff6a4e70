"""A run that is stopped in whatever way goes on with --resume and ends with the same results."""

import errno
import json
import logging
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from dpa.engine.attack import resume as inputs
from dpa.engine.attack import run as attack_run
from dpa.engine.attack import scheduler
from dpa.engine.attack import writer as writing
from dpa.engine.attack.resume import OptionWithResume, OtherSetting
from dpa.engine.cli.attack import attack
from dpa.engine.report import attack_report
from dpa.engine.runs import directory
from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.errors import NotARun, OtherInputs, RunBusy
from dpa.models.atomic import DiskFull
from dpa.models.training.checkpoint import save_network
from dpa.models.trust import UnnamedCode

SAMPLES = 20
ROWS = 3
"""Samples in a shard, here."""

DYING = """
import os, signal, sys
import dpa.engine.attack.scheduler as scheduler, dpa.engine.attack.writer as writer
import dpa.engine.runs.shards as shards, dpa.export.cached_pose as poses
poses.cached_pose_session = lambda network: network.predict
where, write_number, writer.SHARD_ROWS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
writer.SHARD_SECONDS, scheduler.PATIENCE = float("inf"), 1
write, writes = shards.pq.write_table, 0
def dying(table, path, **options):
    global writes
    writes += 1
    if writes == write_number and where == "between":
        os.kill(os.getpid(), signal.SIGKILL)
    write(table, path, **options)
    if writes == write_number:
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
shards.pq.write_table = dying
from dpa.engine.cli import main
sys.argv[1:] = sys.argv[4:]
main()
"""
"""The command line in a process that kills itself in, or before, its n-th write of a table."""


@pytest.fixture
def given(tiny_world, tiny_store, tmp_path):
    """Arguments of a run on a saved tiny network, whose sizes are even: then a sample's neighbours change
    no bit (see `buckets`), as with the bundled networks."""
    save_network(tiny_world(1, torch.float32, odd=False).network, tmp_path / "network", {})
    words = f"--device cpu --min-error 80 --step-size 0.1 --batch 5 --samples {SAMPLES} --max-steps 12"
    words += " --backend eager"
    return [str(tiny_store.path), "--target", str(tmp_path / "network"), *words.split()]


@pytest.fixture
def figures():
    """Asks for the report's figures, which take a second."""


@pytest.fixture
def command(monkeypatch, request):
    """(arguments) → outcome of `attack --json`, with small shards; figures are drawn where a test says so."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(attack_report, "write_attack_report", lambda run, results, store: run.path)
    commanded = import_module("dpa.engine.api.attack")  # the package offers a function of this name
    monkeypatch.setattr(commanded, "cached_pose_session", lambda network: network.predict)
    monkeypatch.setattr(writing, "SHARD_ROWS", ROWS)
    monkeypatch.setattr(
        writing, "SHARD_SECONDS", float("inf")
    )  # shards are cut by count alone, not by a clock
    monkeypatch.setattr(scheduler, "PATIENCE", 1)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(attack)
    return lambda *arguments: CliRunner().invoke(app, ["--json", *map(str, arguments)])


@pytest.fixture
def whole(command, given, tmp_path):
    """A run that nothing stopped."""
    outcome = command(*given, "--out", tmp_path / "whole")
    assert outcome.exit_code == 0, outcome.output
    return tmp_path / "whole"


def assert_equal_runs(found, expected):
    """Results but for the speed, every column of every sample, every picture: to the last bit."""
    results = [json.loads((path / "results.json").read_text()) for path in (found, expected)]
    for result in results:
        del result["throughput"]
    assert results[0] == results[1]
    for table in ("samples.parquet", "adversarial"):
        one, other = (RunDirectory.open(path).read_shards(table) for path in (found, expected))
        assert len(one["index"]) == SAMPLES
        orders = one["index"].argsort(), other["index"].argsort()
        for name in set(one) - {"elapsed_s"}:
            np.testing.assert_array_equal(one[name][orders[0]], other[name][orders[1]], err_msg=name)


def shards(run):
    return {file.name: file.read_bytes() for file in sorted((run / "samples.parquet").glob("0*.parquet"))}


@pytest.mark.usefixtures("figures")
def test_killed_inside_a_write_and_between_writes(command, given, whole, tmp_path):
    """Each shard is two writes, pictures and samples: the first process dies in its third shard's samples,
    the second one, which goes on, before its second shard."""
    run = tmp_path / "killed"

    def die(where, write, *arguments):
        call = [sys.executable, "-c", DYING, where, write, ROWS, "attack", *arguments]
        assert subprocess.run([*map(str, call)], check=False, capture_output=True).returncode == -9

    die("inside", 6, *given, "--out", run)
    assert len(list(run.rglob(".partial-*"))) == 1
    first = shards(run)
    assert len(first) == 2
    die("between", 3, "--resume", run)
    second = shards(run)
    assert len(second) == 3
    assert not (run / "results.json").exists()

    outcome = command("--resume", run)
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.stdout)["n"] == SAMPLES
    assert_equal_runs(run, whole)
    assert first.items() <= second.items() <= shards(run).items(), "what was whole is not made again"
    assert not list(run.rglob(".partial-*"))
    assert (run / "report.md").is_file()


def test_a_full_disk_keeps_what_was_written(command, given, whole, tmp_path, monkeypatch):
    write, run = directory.write_shard, tmp_path / "full"

    def full(folder, index, table):
        if index == 2:
            raise DiskFull(folder) from OSError(errno.ENOSPC, "No space left on device")
        write(folder, index, table)

    monkeypatch.setattr(directory, "write_shard", full)
    outcome = command(*given, "--out", run)
    assert isinstance(outcome.exception, DiskFull)
    assert f"to go on: dpa-engine attack --resume {run}" in outcome.exception.__notes__
    assert len(shards(run)) == 2
    monkeypatch.setattr(directory, "write_shard", write)
    assert command("--resume", run).exit_code == 0
    assert_equal_runs(run, whole)


def test_an_interrupted_run_keeps_every_sample_that_had_ended(command, given, tmp_path, monkeypatch):
    """Ctrl-C after the first results, fewer than a shard's: they are written all the same."""
    monkeypatch.setattr(writing, "SHARD_ROWS", 1000)
    handed = []
    take_over = writing.ShardWriter.__call__

    def interrupted(self, result, numbers):
        take_over(self, result, numbers)
        handed.extend(numbers)
        if len(handed) >= 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(writing.ShardWriter, "__call__", interrupted)
    assert command(*given, "--out", tmp_path / "run").exit_code != 0
    kept = RunDirectory.open(tmp_path / "run", incomplete=True).read_shards("samples.parquet")
    assert sorted(kept["index"]) == sorted(handed)


def test_damaged_shards_are_discarded_and_made_again(command, whole, given, tmp_path, caplog):
    run = tmp_path / "damaged"
    assert command(*given, "--out", run).exit_code == 0
    for name in ("samples.parquet/00001.parquet", "adversarial/00003.parquet"):
        data = (run / name).read_bytes()
        (run / name).write_bytes(data[: len(data) // 2])
    data = bytearray((run / "adversarial/00004.parquet").read_bytes())
    data[len(data) // 2] ^= 1  # one bit of a picture
    (run / "adversarial/00004.parquet").write_bytes(data)
    before = shards(run)
    with caplog.at_level(logging.WARNING):
        assert command("--resume", run).exit_code == 0
    assert [record.getMessage().startswith("set aside") for record in caplog.records] == [True] * 3
    assert_equal_runs(run, whole)
    after = shards(run)
    assert {name for name in before if before[name] != after[name]} == {
        "00001.parquet",
        "00003.parquet",
        "00004.parquet",
    }
    assert (run / "samples.parquet" / "00001.parquet.damaged").is_file()


def test_nothing_is_left_to_attack(command, whole, monkeypatch):
    """Stopped after the last shard, or not at all: the results are the same again."""
    expected = (whole / "results.json").read_text()
    kept = shards(whole)
    (whole / "results.json").unlink()
    monkeypatch.setattr("dpa.engine.attack.run.attack_stream", None)
    assert command("--resume", whole).exit_code == 0
    assert (whole / "results.json").read_text() == expected
    assert shards(whole) == kept
    assert RunDirectory.open(whole).is_complete


def test_other_weights_data_versions_or_threads_are_refused(
    command, whole, given, tiny_world, tiny_store, tmp_path, monkeypatch
):
    def complaint():
        error = command("--resume", whole).exception
        assert isinstance(error, OtherInputs)
        return str(error)

    with monkeypatch.context() as patched:
        patched.setattr(inputs, "versions", lambda: {"python": "3", "torch": "0.1"})
        assert "version of dpa-engine" in complaint()
    with monkeypatch.context() as patched:
        threads = torch.get_num_threads()
        patched.setattr(torch, "get_num_threads", lambda: threads + 1)
        assert f"number of threads (OMP_NUM_THREADS) is {threads + 1}" in complaint()
    frames = tiny_store.path / "frames.u8"
    data = frames.read_bytes()
    frames.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert "data set" in complaint()
    frames.write_bytes(data)
    save_network(tiny_world(1, torch.float32, seed=1, odd=False).network, tmp_path / "network", {})
    assert "target's weights" in complaint()
    assert RunDirectory.open(whole).is_complete, "refused before anything changed"


def test_the_back_end_that_was_picked_is_picked_again(command, given, tmp_path, monkeypatch):
    """`auto` measures, and may find another the next time."""
    make_backend, asked = attack_run.make_backend, []

    def make(generator, target, plates, config, exporter):
        asked.append(config.backend)
        return make_backend(generator, target, plates, config.having(backend="eager"), exporter)

    monkeypatch.setattr(attack_run, "make_backend", make)
    assert command(*given, "--backend", "auto", "--out", tmp_path / "run").exit_code == 0
    assert command("--resume", tmp_path / "run").exit_code == 0
    assert asked == ["auto", "eager"]


def test_options_may_repeat_the_settings_but_not_change_them(command, whole, tmp_path):
    assert command("--resume", whole, "--min-error", 80, "--set", "batch=5").exit_code == 0
    for option, value, key in (
        ("--min-error", 90, "min_error_mm"),
        ("--set", "batch=6", "batch"),
        ("--target", "zoo:nsd", "target"),
    ):
        error = command("--resume", whole, option, value).exception
        assert isinstance(error, OtherSetting)
        assert key in str(error)
    for option, *value in (("--out", tmp_path / "x"), ("--config", tmp_path / "x"), ("--sweep",)):
        error = command("--resume", whole, option, *value).exception
        assert isinstance(error, OptionWithResume)
        assert option in str(error)


def test_a_run_that_another_process_works_on_is_left_alone(command, whole):
    with RunDirectory.open(whole).holding():
        assert isinstance(command("--resume", whole).exception, RunBusy)


def test_samples_without_word_of_what_made_them_are_refused(command, whole):
    (whole / "inputs.json").unlink()
    assert isinstance(command("--resume", whole).exception, NotARun)


@pytest.mark.usefixtures("figures")
def test_pictures_are_kept_of_as_many_samples_as_asked_for(command, given, tmp_path):
    run = tmp_path / "few"
    outcome = command(*given, "--set", "pictures=3", "--out", run)
    assert outcome.exit_code == 0, outcome.output
    opened = RunDirectory.open(run)
    attacked = np.sort(opened.read_shards("samples.parquet", ["index"])["index"])
    pictured = np.sort(opened.read_shards("adversarial")["index"])
    assert pictured.tolist() == [attacked[0], attacked[10], attacked[-1]], "first, middle and last"
    assert json.loads(outcome.stdout)["image"]["ssim"] is not None, "measured on all"
    assert (run / "figures/samples.png").is_file()


@pytest.mark.parametrize("role", ["target", "generator"])
def test_a_module_that_only_a_run_names_is_never_imported(command, whole, tmp_path, monkeypatch, role):
    """A run may come from anywhere, and so may a module of that name in the folder where it is resumed."""
    (tmp_path / f"planted_{role}.py").write_text("open('ran', 'w')\ndef load(): raise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    path = whole / "config.resolved.yaml"
    told = [line for line in path.read_text().splitlines() if not line.startswith(f"{role}:")]
    path.write_text("\n".join([*told, f"{role}: planted_{role}:load"]) + "\n")
    with pytest.raises(UnnamedCode, match=f"--{role} planted_{role}:load"):
        raise command("--resume", whole).exception
    assert not (tmp_path / "ran").exists()
    command("--resume", whole, f"--{role}", f"planted_{role}:load")
    assert (tmp_path / "ran").exists(), "named by the user, it is"
