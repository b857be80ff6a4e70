"""Notices on stderr: warnings by default, more with -v, none with -q, and never on stdout."""

import logging
from collections.abc import Iterator

import pytest

from dpa.engine.cli.messages import configure
from dpa.engine.cli.progress import shown


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    configure()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ["warning: a plan is stale"]),
        ({"verbose": True}, ["info: fused was the fastest", "warning: a plan is stale"]),
        ({"quiet": True}, []),
    ],
)
def test_what_is_told(settings: dict[str, bool], told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    configure(**settings)
    configure(**settings)
    log = logging.getLogger("dpa.engine.somewhere")
    log.info("fused was the %s", "fastest")
    log.warning("a plan is stale")
    said = capsys.readouterr()
    assert said.err.splitlines() == told and said.out == ""


def test_quiet_work_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    configure(quiet=True)
    with shown("measuring") as show:
        show("measuring", 1, 2)
        show.say("a line")
    assert capsys.readouterr() == ("", "")
