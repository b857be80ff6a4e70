"""The verdict on each measure, from readings that are made up."""

import json

import pytest

from dpa.engine.analysis.measures import Measure, Scale
from dpa.engine.report.calibration import Line, Reading, calibrate
from dpa.engine.report.renderers import lines

RISING = Measure("shift", "shift", "mm", scale=Scale(10.0))
FALLING = Measure("kept", "kept", scale=Scale(0.1, 2, rises=False))


def line(measure: Measure, **values: float | None) -> Line:
    readings = {name.replace("_", "-"): Reading({measure.key: value}) for name, value in values.items()}
    return calibrate(readings, {"swap": [measure]}).lines[0]


def test_ends_that_are_apart_make_a_scale() -> None:
    found = line(RISING, silhouette=20.0, entangled=120.0, oracle_swap=30.0, mine=95.0)
    assert found.informative and found.separation == 100 and found.verdict == "tells them apart"
    assert found.places == {"silhouette": 0, "entangled": 1, "oracle-swap": 0.1, "mine": 0.75}


def test_a_measure_that_falls_is_counted_the_other_way() -> None:
    found = line(FALLING, silhouette=0.9, entangled=0.4, oracle_swap=0.8)
    assert found.informative and found.separation == pytest.approx(0.5)
    assert found.places["oracle-swap"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (50.0, 59.0, "uninformative: the ends lie within 10.0"),
        (50.0, 50.0, "uninformative: the ends lie within 10.0"),
        (59.0, 50.0, "uninformative: the ends lie within 10.0"),
        (80.0, 50.0, "uninformative: the wrong way round"),
    ],
)
def test_ends_that_are_not_apart_are_said_to_be_uninformative(low: float, high: float, verdict: str) -> None:
    found = line(RISING, silhouette=low, entangled=high, mine=70.0)
    assert found.informative is False and found.verdict == verdict
    assert set(found.places.values()) == {None}


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_without_an_end_nothing_is_said(value: float | None) -> None:
    found = line(RISING, silhouette=20.0, entangled=value, mine=30.0)
    assert found.informative is None and found.verdict == "not known: no reading of entangled"
    assert line(RISING, mine=3.0).verdict == "not known: no reading of silhouette and entangled"


def test_the_table_has_a_column_a_network_references_first() -> None:
    readings = {
        "mine": Reading({"shift": 70.0}, {"swap": "dpa-engine analyze swap --network mine"}),
        "entangled": Reading({"shift": 120.0}),
        "silhouette": Reading({"shift": 20.0}),
    }
    found = calibrate(readings, {"swap": [RISING, FALLING]})
    assert found.networks == ("silhouette", "entangled", "mine")
    table = found.table()
    assert lines(table) == [["shift (mm)", "20.0", "120.0", "70.0 (50 %)", "tells them apart"]]
    assert lines(found.command_table()) == [["swap", "mine", "dpa-engine analyze swap --network mine"]]
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert told["measures"][0]["places"]["mine"] == 0.5


def test_markdown_has_every_cells_command_once() -> None:
    readings = {
        name: Reading(
            {"shift": 20.0 + 100 * (name == "entangled"), "kept": 0.5},
            {"swap": f"dpa-engine analyze swap --network {spec} --set pool=8"},
        )
        for name, spec in {
            "silhouette": "zoo:silhouette", "entangled": "zoo:entangled", "mine": "runs/mine",
        }.items()
    }  # fmt: skip
    text = calibrate(readings, {"swap": [RISING, FALLING]}).markdown()
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in row] for row in rows]
    assert rows[0] == ["measure", "silhouette", "entangled", "mine", "verdict"]
    assert rows[2] == ["shift (mm)", "20.0", "120.0", "20.0 (0 %)", "tells them apart"]
    assert rows[3][-1].startswith("uninformative")
    both, command = "shift (mm), kept", "dpa-engine analyze swap --network"
    assert rows[6:] == [
        [both, "silhouette, entangled", f"`{command} zoo:NAME --set pool=8`"],
        [both, "mine", f"`{command} runs/mine --set pool=8`"],
    ]
    del readings["entangled"]
    alone = calibrate(readings, {"swap": [RISING]}).command_rows()
    assert ("shift (mm)", "silhouette", f"`{command} zoo:silhouette --set pool=8`") in alone


def test_a_note_says_who_is_smaller_than_whom() -> None:
    readings = {
        "silhouette": Reading({"shift": 20.0}, preset="tiny"),
        "entangled": Reading({"shift": 120.0}, preset="tiny"),
        "nsd": Reading({"shift": 70.0}, preset="small"),
        "mine": Reading({"shift": 70.0}),
    }
    told = "Networks of different sizes: tiny: silhouette, entangled; small: nsd."
    found = calibrate(readings, {"swap": [RISING]})
    assert found.table().note.endswith(told) and found.as_json()["presets"] == found.presets
    del readings["nsd"]
    assert "sizes" not in calibrate(readings, {"swap": [RISING]}).table().note
