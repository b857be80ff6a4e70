"""What the command line says, where it says it, and the exit code that it leaves."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import dpa
from dpa.engine.cli.app import app
from dpa.engine.cli.readable_errors import ReadableErrors
from dpa.models.errors import DpaError, InputError


@pytest.fixture(autouse=True)
def no_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DPA_DEBUG", raising=False)


def raising(error: BaseException) -> Result:
    """Runs a command line of one command that raises."""
    failing = typer.Typer(cls=ReadableErrors, pretty_exceptions_enable=False)

    @failing.callback()
    def root() -> None: ...

    @failing.command()
    def work() -> None:
        raise error

    return CliRunner().invoke(failing, ["work"])


def test_bad_input_is_told_on_stderr_with_code_2() -> None:
    result = raising(InputError("[bold]3 apples", "4 pears", "buy pears"))
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr == "error: [bold]3 apples\n  expected: 4 pears\n  to do:    buy pears\n"


def test_failed_work_is_told_with_code_1() -> None:
    result = raising(DpaError("the training diverged"))
    assert (result.exit_code, result.stderr) == (1, "error: the training diverged\n")


def test_an_interrupt_says_what_was_kept() -> None:
    error = KeyboardInterrupt()
    error.add_note("kept: runs/attack-1")
    result = raising(error)
    assert (result.exit_code, result.stderr) == (130, "interrupted\nkept: runs/attack-1\n")


def test_a_file_that_cannot_be_written_is_named() -> None:
    result = raising(PermissionError(errno.EACCES, "Permission denied", "/closed/results.json"))
    assert (result.exit_code, result.stderr) == (1, "error: /closed/results.json: Permission denied\n")


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    assert isinstance(raising(ZeroDivisionError("x")).exception, ZeroDivisionError)
    assert isinstance(raising(OSError(errno.EIO, "x")).exception, OSError)


def test_debugging_shows_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPA_DEBUG", "1")
    assert isinstance(raising(InputError("a", "b", "c")).exception, InputError)
    monkeypatch.setenv("DPA_DEBUG", "0")
    assert raising(InputError("a", "b", "c")).exit_code == 2


def test_the_debug_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DPA_DEBUG", "0")
    result = CliRunner().invoke(app, ["--debug", "data", "info", str(tmp_path)])
    assert isinstance(result.exception, InputError)


def test_the_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"dpa-engine {dpa.__version__}\n")


@pytest.mark.parametrize("arguments", [["nonsense"], ["data", "info"], ["data", "info", "a", "--nonsense"]])
def test_bad_usage_is_code_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2 and result.stdout == ""


def test_control_c_in_a_real_process() -> None:
    """From the keyboard to the exit code, through the console script's own entry."""
    script = (
        "import os, signal, sys, time, dpa.engine.doctor as d\n"
        # a background job starts with the signal ignored; a person at a keyboard does not
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def examine(): os.kill(os.getpid(), signal.SIGINT); time.sleep(60)\n"
        "d.examine = examine; sys.argv = ['dpa-engine', 'doctor']\n"
        "from dpa.engine.cli import main; main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (128 + signal.SIGINT, "", "interrupted\n")
    assert os.environ.get("DPA_DEBUG") is None


@pytest.mark.parametrize(
    "words",
    [
        "attack --min-error inf", "attack --step-size nan", "attack --seed -1", "attack --set seed=1:30",
        "export zoo:nsd --limit nan", "export zoo:nsd --limit inf", "export zoo:nsd --limit -1",
        "export zoo:nsd --seed -1", "data synth --out x --fps inf", "data synth --out x --seed -1",
        "bench data --seconds nan", "check-framework zoo:nsd --seed -1", "zoo ablate zoo:nsd --seed -1",
        "fit-regressor x y --fraction nan", "train x --out y --learning-rate inf",
        "predict x --network zoo:nsd --json", "predict x --network zoo:nsd --rebuild-plans",
        "predict x --network zoo:nsd --precision int8", "attack --sweep --out x",
    ],
)  # fmt: skip
def test_settings_that_are_nonsense_cost_nothing(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 2, done.output
    assert list(tmp_path.iterdir()) == []


def test_being_terminated_keeps_what_an_interrupt_keeps() -> None:
    script = (
        "import os, signal, time, dpa.engine.doctor as d\n"
        "def examine():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)\n"
        "    except KeyboardInterrupt as error:\n"
        "        error.add_note('kept: everything'); raise\n"
        "d.examine = examine\n"
        "from dpa.engine.cli import main; main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, "doctor"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (128 + signal.SIGTERM, "terminated\nkept: everything\n")
