"""Progress: a line every ten seconds where stderr is no terminal, told by a clock of the test's own."""

import re

import pytest

from dpa.engine.cli import progress
from dpa.engine.cli.progress import Lines, of_attack, of_counts, shown


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines() -> tuple[Lines, list[str], Clock]:
    written: list[str] = []
    clock = Clock()
    return Lines(written.append, clock), written, clock


def test_a_beat_says_how_far_the_work_is_and_how_long_it_takes() -> None:
    show, written, clock = lines()
    report = of_counts(show, "images")
    show.beat()
    report(0, 40)
    clock.now += 10
    report(10, 40)
    show.beat()
    clock.now += 20
    show.beat()
    assert written == ["images 10/40, 0:00:30 left", "images 10/40, 0:01:30 left"]


def test_work_without_a_count_still_speaks() -> None:
    show, written, clock = lines()
    show("exporting pose", 0, None)
    clock.now += 10
    show.beat()
    show("exporting step", 0, None)
    clock.now += 12
    show.beat()
    assert written == ["exporting pose, 0:00:10 so far", "exporting step, 0:00:12 so far"]


def test_what_was_done_before_does_not_count_for_the_time_left() -> None:
    show, written, clock = lines()
    show("attack", 600, 1000)
    clock.now += 20
    show("attack", 700, 1000, "success 50.0 %")
    show.beat()
    show("attack", 1000, 1000)
    show.beat()
    assert written == ["attack 700/1000, success 50.0 %, 0:01:00 left", "attack 1000/1000, finishing"]


def test_an_attack_tells_speed_and_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """600 of 1000 samples are there from before; 100 more take 20 seconds."""
    now = iter([100.0, 100.0, 120.0])
    pace = progress.Pace(clock=lambda: next(now))
    assert pace.note(600, 300) == "success 50.0 %"
    assert pace.note(700, 350) == "5.0 samples/s, success 50.0 %"
    show, written, _ = lines()
    of_attack(show, 8)(4, 3)
    show.beat()
    assert written[0].startswith("attack 4/8, success 75.0 %")


def test_a_pipe_gets_lines_by_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work itself says nothing more: it waits until a line has come."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.001)
    told = ""
    with shown("measuring"):
        while not told:
            told += capsys.readouterr().err
    assert re.match(r"measuring, 0:00:0\d so far\n", told)
