"""bench gpu: no GPU is bad usage, a budget that is spent is named, a section that breaks costs itself alone,
and the rehearsal finds nothing wrong."""

import json

import pytest
import torch
from typer.testing import CliRunner

from dpa.bench.gpu import plan
from dpa.bench.gpu.section import Entry, Notebook, NotExecuted, NotTrue
from dpa.engine.cli.app import app

BROKEN = """
import os, time

def ends_well(book, setting):
    with book.entry("a figure") as found:
        found |= {"value": 1.5, "none": float("nan")}
        found |= {"device": str(setting.device), "tiny": setting.rehearsal}

def raises(book, setting):
    with book.entry("before"):
        pass
    raise OSError("no such driver")

def dies(book, setting):
    with book.entry("before"):
        pass
    os._exit(7)

def hangs(book, setting):
    with book.entry("before"):
        pass
    time.sleep(1000)
"""


@pytest.fixture
def broken_sections(monkeypatch, tmp_path):
    (tmp_path / "broken_sections.py").write_text(BROKEN)
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    run = plan.START.replace("import sys; ", start).replace("main(sys.argv[1:])", "words = sys.argv[1:]; ")
    run += "main([words[0].removeprefix('dpa.bench.gpu.'), *words[1:]])"
    monkeypatch.setattr(plan, "START", run)
    names = ("ends_well", "raises", "dies", "hangs", "never")
    works = ("ends_well", "raises", "dies", "hangs", "ends_well")
    sections = [
        plan.Section(name, "speed", f"broken_sections:{work}", 0.5)
        for name, work in zip(names, works, strict=True)
    ]
    monkeypatch.setattr(plan, "SECTIONS", tuple(sections))
    monkeypatch.setattr(plan, "WITHOUT_DATA", names)


@pytest.mark.usefixtures("broken_sections")
def test_what_breaks_costs_its_section_and_what_the_budget_cuts_is_named(tmp_path):
    out, heard = tmp_path / "deep" / "gpu.json", []
    document = plan.run_sections(out, 45, rehearse=True, tell=heard.append)
    assert json.loads(out.read_text()) == document
    found = {section["name"]: section for section in document["sections"]}
    (figure,) = found["ends_well"]["entries"]
    assert (figure["value"], figure["none"], figure["tiny"]) == (1.5, "nan", True)
    assert figure["device"] == "standin:0"
    assert [entry["state"] for entry in found["raises"]["entries"]] == ["done", "crashed"]
    assert "no such driver" in found["raises"]["entries"][1]["traceback"]
    assert (found["dies"]["state"], found["dies"]["why"]) == ("crashed", "exit code 7")
    assert [entry["name"] for entry in found["dies"]["entries"]] == ["before"]
    assert found["hangs"]["state"] == "over the budget"
    assert [entry["name"] for entry in found["hangs"]["entries"]] == ["before"]
    assert document["skipped"] == ["hangs", "never"]
    assert document["failed"] == [
        "raises: the rest of the section: OSError: no such driver",
        "dies",
    ]
    assert len(heard) == 5


def test_a_notebook_keeps_every_kind_of_end(tmp_path):
    book = Notebook(tmp_path / "entries.json")
    for error in (NotTrue("it should hold"), NotExecuted("a wheel"), ZeroDivisionError("oh"), None):
        with book.entry("an entry") as found:
            found["figure"] = 1
            if error is not None:
                raise error
    with book.entry("a requirement") as found:
        found.require(found.get("figure") == 1, "a figure")
    kept = json.loads((tmp_path / "entries.json").read_text())
    assert [entry["state"] for entry in kept] == ["wrong", "not executed", "crashed", "done", "wrong"]
    assert [entry.get("figure") for entry in kept[:4]] == [1] * 4
    assert "ZeroDivisionError" in kept[2]["traceback"]
    assert isinstance(found, Entry)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_it_says_what_it_needs(tmp_path):
    result = CliRunner().invoke(app, ["bench", "gpu", "--out", str(tmp_path / "gpu.json")])
    assert result.exit_code == 2
    assert "an NVIDIA GPU with its driver" in result.output
    assert "--rehearse" in result.output
    assert not (tmp_path / "gpu.json").exists()


def test_an_unknown_section_is_refused(tmp_path):
    with pytest.raises(Exception, match="a section 'nothing'"):
        plan.run_sections(tmp_path / "gpu.json", 10, rehearse=True, only=("nothing",))


def test_the_rehearsal_finds_nothing_wrong(tmp_path):
    out = tmp_path / "gpu.json"
    words = ["bench", "gpu", "--out", str(out), "--rehearse"]
    result = CliRunner().invoke(app, words)
    document = json.loads(out.read_text())
    assert document["failed"] == []
    assert result.exit_code == 0, result.output
    assert [section["name"] for section in document["sections"]] == [one.name for one in plan.SECTIONS]
    assert all(section["entries"] for section in document["sections"])
    assert document["skipped"] == []
