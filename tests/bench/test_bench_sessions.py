"""bench sessions: the rows' keys and arithmetic, and fairness of the interleaving. No figure is asserted:
how fast a machine is, is not a property of the code."""

import json
import time

import pytest
import torch
import typer
from typer.testing import CliRunner

from dpa.bench.session_process import BURST, MIN_ROUNDS, Apart, Opening, TimedSession, time_together
from dpa.bench.sessions import missed, plot_sessions, reasons, untrained
from dpa.engine.cli import bench_sessions as sessions
from dpa.engine.cli.readable_errors import ReadableErrors
from dpa.engine.sessions.protocol import TensorSpec, TorchSession
from dpa.models.errors import DpaError, InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import PRESETS


class Waits(TorchSession):
    """Sleeps for so many milliseconds and notes that it was called."""

    def __init__(self, name: str, ms: float, calls: list[str]) -> None:
        spec = (TensorSpec("x", (None, 2)),)
        super().__init__(torch.nn.Identity(), spec, spec)
        self.name, self.ms, self.calls = name, ms, calls

    def run(self, feeds, *more):
        self.calls.append(self.name)
        time.sleep(self.ms / 1e3)
        return super().run(feeds, *more)


def test_everyone_is_called_in_turn_and_as_often() -> None:
    calls: list[str] = []
    feeds = {"x": torch.zeros(3, 2)}
    contenders = [TimedSession(Waits(name, ms, calls), feeds) for name, ms in (("a", 4), ("b", 1))]
    first, second = time_together(contenders, duration_s=0.02)
    assert calls[:4] == ["a", "a", "b", "b"], "two calls each before the clock"
    rounds, rest = divmod(len(calls) - 4, 2 * (1 + BURST))
    assert rest == 0 and rounds >= MIN_ROUNDS
    assert calls[4:] == (["a"] * (1 + BURST) + ["b"] * (1 + BURST)) * rounds
    assert first.calls == second.calls == rounds * BURST, "the first call of a burst does not count"
    assert first.p50_ms >= 4 and second.p50_ms >= 1
    assert first.p50_ms <= first.p90_ms <= first.p95_ms <= first.p99_ms
    assert first.peak_mb is None or first.peak_mb > 10


def test_preparation_counts_when_it_is_asked_for() -> None:
    def prepare():
        time.sleep(0.005)
        return {"x": torch.zeros(3, 2)}

    (one,) = time_together([TimedSession(Waits("a", 1, []), {}, prepare)], 0.0)
    assert one.p50_ms >= 6


def test_what_goes_wrong_in_the_child_is_said_here(tmp_path) -> None:
    opening = Opening(tmp_path, "pose", "onnxruntime", "fp32", 1, "cpu")
    with pytest.raises(DpaError, match=f"no manifest.json in {tmp_path}"), Apart(opening):
        pass


def test_a_network_that_cannot_be_handed_over_is_named(pooled_sizes) -> None:
    class Local(DisentangledNetwork):
        """Of no module that another process could import."""

    with pytest.raises(InputError, match="cannot be pickled"):
        Apart(Opening(Local(pooled_sizes, "local"), "pose", "torch", "fp32", 1, "cpu"))


def row(backend: str, batch: int, rate: float) -> dict:
    return {
        "network": "zoo:nsd",
        "graph": "pose",
        "backend": backend,
        "precision": "fp32",
        "batch": batch,
        "images_per_s": rate,
        "images_per_s_end_to_end": rate / 2,
        "p50_ms": 1.0,
        "p90_ms": 2.0,
        "p95_ms": 3.0,
        "p99_ms": 4.0,
        "calls": 5,
        "peak_mb": 100.0,
        "mpjpe_shift_mm": 0.5,
        "gflop_per_image": 0.1,
    }


ROWS = [row("torch", 1, 10), row("onnxruntime", 1, 30), row("torch", 32, 20), row("onnxruntime", 32, 50)]


def test_table_says_how_many_times_torch_and_what_was_rejected(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    rejected = [
        {"network": "zoo:nsd", "backend": "onnxruntime", "precision": "int8", "parity": {"mean_mm": 12.7}}
    ]
    sessions.print_rows(ROWS, rejected, "pose", 1)
    text = capsys.readouterr().out
    assert "3.00" in text and "2.50" in text and "over its limit" in text and "13" in text


def test_a_missed_bar_is_named_with_its_reason() -> None:
    slow = [row("torch", 32, 100), row("onnxruntime", 32, 170), row("openvino", 32, 900)]
    fast = [one | {"network": "untrained:paper"} for one in (slow[0], row("onnxruntime", 32, 181))]
    other = [row("torch", 1, 100), row("onnxruntime", 1, 10)]
    (miss,) = missed([*slow, *fast, *other])
    assert (miss["network"], miss["backend"], miss["asked"]) == ("zoo:nsd", "onnxruntime", 1.8)
    assert miss["ratio"] == pytest.approx(1.7)
    first, why = reasons([miss])
    assert "1.70 times eager torch, asked for 1.8" in first and "0.10 GFLOP" in why
    assert len(reasons([miss | {"gflop_per_image": 5.0}])) == 1, "size is not what a large network lacks"
    assert reasons([]) == []


def test_plot_is_a_picture(tmp_path) -> None:
    plot_sessions(ROWS, tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


def run(*options: str):
    app = typer.Typer(cls=ReadableErrors)
    app.command("sessions")(sessions.bench_sessions)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["sessions", *options])


def test_the_command_prints_the_agreed_keys_and_how_to_repeat_each_row(monkeypatch, tmp_path) -> None:
    held = (torch.zeros(1), torch.zeros(1))
    monkeypatch.setattr("dpa.bench.sessions.load_network", lambda spec: spec)
    monkeypatch.setattr("dpa.export.parity.held_out_frames", lambda *_: held)
    monkeypatch.setattr("dpa.bench.sessions.EngineFolder", lambda path: path)
    bare = [{key: value for key, value in one.items() if key != "network"} for one in ROWS]
    monkeypatch.setattr("dpa.bench.sessions.measure_sessions", lambda *_: bare)
    made = json.loads(run("zoo:nsd", "--engine", str(tmp_path), "--json").stdout)
    asked = "network graph backend precision batch images_per_s p50_ms p99_ms mpjpe_shift_mm"
    assert set(asked.split()) <= set(made["rows"][0])
    commands = [one.pop("command") for one in made["rows"]]
    assert made["rows"] == ROWS and made["missed"] == [] and made["device"] and "--engine" in made["command"]
    assert "--batch 1 " in commands[0] and "--batch 32" not in commands[0] and "--batch 32" in commands[2]


def test_an_untrained_network_has_speed_and_no_millimetres(monkeypatch, pooled_sizes) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    monkeypatch.setitem(PRESETS, "tiny", lambda: pooled_sizes)
    monkeypatch.setattr("dpa.bench.sessions.SIDE", 32)
    options = ["--graph", "encode", "--precision", "fp32", "--batch", "2", "--frames", "4"]
    result = run("untrained:tiny", *options, "--seconds", "0", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert [one["backend"] for one in rows] == ["torch", "onnxruntime"]
    assert all(one["images_per_s"] > 0 and one["mpjpe_shift_mm"] is None for one in rows)
    assert all(one["command"].startswith("dpa-engine bench sessions untrained:tiny") for one in rows)


@pytest.mark.parametrize(
    "options", [["untrained:huge"], ["a", "b", "--engine", "x"], ["zoo:nsd", "--device", "abacus"]]
)
def test_bad_names_are_exit_code_2(options: list[str]) -> None:
    assert run(*options).exit_code == 2


def test_an_untrained_network_is_the_same_each_time(monkeypatch, pooled_sizes) -> None:
    monkeypatch.setitem(PRESETS, "tiny", lambda: pooled_sizes)
    first, second = untrained("tiny"), untrained("tiny")
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
