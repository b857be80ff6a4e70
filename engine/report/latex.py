"""Tables for a paper: LaTeX with booktabs."""

from dpa.engine.analysis.table import Table

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\to$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "†": r"\textsuperscript{\textdagger}",
    "–": "--",
    "²": r"\textsuperscript{2}",
    "φ": r"$\phi$",
    "Δ": r"$\Delta$",
    "≥": r"$\geq$",
    "…": r"\ldots{}",
}


def escaped(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    return "".join(SPECIAL.get(sign, sign) for sign in text)


def latex_table(made: Table, label: str) -> str:
    """A table environment; needs \\usepackage{booktabs}. The title and the note are its caption."""
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escaped(made.title)}. {escaped(made.note)}}}",
        f"  \\label{{tab:{label}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(made.columns) - 1)}}}",
        r"    \toprule",
        f"    {_row(made.columns)}",
        r"    \midrule",
        *(f"    {_row(row)}" for row in made.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return " & ".join(escaped(cell) for cell in cells) + r" \\"
