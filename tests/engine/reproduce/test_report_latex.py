"""Tables in LaTeX: what was written is read back cell by cell."""

import re

from dpa.engine.analysis.table import table
from dpa.engine.report.latex import escaped, latex_table


def test_special_signs_are_escaped():
    assert escaped("50 % of a_b & {c} #1 $x^2~") == (
        r"50 \% of a\_b \& \{c\} \#1 \$x\textasciicircum{}2\textasciitilde{}"
    )
    assert escaped("\\") == r"\textbackslash{}"
    assert escaped("21 → 180 ±3 †") == r"21 $\to$ 180 $\pm$3 \textsuperscript{\textdagger}"


def test_a_table_is_booktabs_with_its_rows_in_order():
    made = table("Title & more", ["name", "a", "b"], [["x", "1", "2"], ["y", "3 %", "4"]], "A note.")
    text = latex_table(made, "key")
    rules = [line.strip() for line in text.splitlines() if "rule" in line]
    assert rules == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert r"\begin{tabular}{lrr}" in text and r"\caption{Title \& more. A note.}" in text
    rows = re.findall(r"^    (.*) \\\\$", text, flags=re.MULTILINE)
    assert [row.split(" & ") for row in rows] == [["name", "a", "b"], ["x", "1", "2"], ["y", r"3 \%", "4"]]
    assert text.count("\\begin") == text.count("\\end") == 2
