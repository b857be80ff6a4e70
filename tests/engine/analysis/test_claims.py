"""Verdicts by hand: a claim is judged by the ends of intervals, never by the figures alone."""

import pytest

from dpa.engine.analysis.claims import Claim, Verdict, beyond, exceeds, more

AGREES, CONTRADICTS, CANNOT_TELL = Verdict.AGREES, Verdict.CONTRADICTS, Verdict.CANNOT_TELL


def figures(value, low=None, high=None, spread=None):
    return {"x": value, "x_low": low, "x_high": high, "x_spread": spread}


@pytest.mark.parametrize(
    ("one", "above", "wanted"),
    [
        (figures(0.9, 0.8, 0.95), True, AGREES),
        (figures(0.9, 0.8, 0.95), False, CONTRADICTS),
        (figures(0.1, 0.05, 0.2), True, CONTRADICTS),
        (figures(0.6, 0.4, 0.7), True, CANNOT_TELL),
        (figures(0.9), True, CANNOT_TELL),
        (figures(0.9, spread=0.1), True, AGREES),
        (figures(0.6, spread=0.1), True, CANNOT_TELL),
        (figures(None), True, CANNOT_TELL),
    ],
)
def test_a_figure_on_one_side_of_a_limit(one, above, wanted):
    claim = Claim("it is", "x beyond 0.5", beyond("x", 0.5, ["NSD"], above=above, unit="%"))
    verdict, line = claim.verdict({"NSD": one})
    assert verdict is wanted and line.startswith(f"{wanted}: the paper says that it is. Criterion: x beyond")


def test_numbers_stand_in_the_line():
    claim = Claim("it is", "x above 0.5", beyond("x", 0.5, ["NSD", "CSSL"], unit="%"))
    _, line = claim.verdict({"NSD": figures(0.9, 0.8, 0.95), "CSSL": figures(0.1, 0.05, 0.2)})
    assert line.startswith("cannot tell") and "NSD 90 % (80 to 95) (agrees)" in line
    assert "CSSL 10 % (5 to 20) (contradicts)" in line
    assert "no network here" in claim.verdict({})[1]


@pytest.mark.parametrize(
    ("low", "high", "wanted"), [(3.0, 4.0, AGREES), (0.0, 0.5, CONTRADICTS), (0.5, 2.5, CANNOT_TELL)]
)
def test_two_networks_are_apart_only_where_their_intervals_are(low, high, wanted):
    networks = {"A": figures((low + high) / 2, low, high), "B": figures(1.5, 1.0, 2.0)}
    assert Claim("", "", more("x", "A", ["B"])).verdict(networks)[0] is wanted
    one = {"x": 1.5, "x_low": 1.0, "x_high": 2.0, "y": (low + high) / 2, "y_low": low, "y_high": high}
    assert Claim("", "", exceeds("y", "x", ["A"], ("y", "x"))).verdict({"A": one})[0] is wanted
