"""From a reproduction's folder to its page: report.html, report.md, results.json, figures and tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from dpa.engine.report.findings import Findings, read_findings
from dpa.engine.report.latex import latex_table
from dpa.engine.report.page import DrawnFigure, page_html
from dpa.engine.report.page_figures import FIGURES, FigureSpec
from dpa.engine.report.page_markdown import page_markdown
from dpa.engine.report.whole_results import whole_results
from dpa.engine.report.whole_tables import PageTable, page_tables
from dpa.engine.runs.directory import RESULTS, RunDirectory

PAGE, TWIN = "report.html", "report.md"


def write_whole_report(base: Path, images: bool = True) -> Path:
    """Returns the page's path. images: False leaves every frame out of the page and of figures/. Raises
    NotARun, IncompleteRun."""
    findings = read_findings(base)
    results = whole_results(findings)
    tables = page_tables(findings)
    run = RunDirectory(base)
    run.write_json(RESULTS, results)
    write_tables(run, tables)
    figures = [draw(run, spec, findings, images) for spec in FIGURES]
    run.write_text(TWIN, page_markdown(findings, tables, figures))
    run.write_text(PAGE, page_html(findings, results, tables, figures, images))
    return base / PAGE


def write_tables(run: RunDirectory, tables: Mapping[str, PageTable]) -> None:
    """tables/KEY.csv and .tex."""
    for key, one in tables.items():
        with run.writing(f"tables/{key}.csv") as path:
            path.write_text(one.table.csv())
        with run.writing(f"tables/{key}.tex") as path:
            path.write_text(latex_table(one.table, key))


def draw(run: RunDirectory, spec: FigureSpec, findings: Findings, images: bool) -> DrawnFigure:
    """figures/KEY.png and .svg; files of an earlier page, which may hold frames, are replaced or removed."""
    figure = spec.draw(findings, spec.titles, images)
    paths = [run.path / f"figures/{spec.key}.{ending}" for ending in ("png", "svg")]
    if figure is None:
        for path in paths:
            path.unlink(missing_ok=True)
        return DrawnFigure(spec, None, None, False)
    _save(run, figure, paths)
    return DrawnFigure(spec, paths[0], paths[1], spec.frames and images)


def _save(run: RunDirectory, figure: Figure, paths: Sequence[Path]) -> None:
    for path in paths:
        with run.writing(f"figures/{path.name}") as temporary:
            figure.savefig(temporary, metadata={"Date": None} if path.suffix == ".svg" else None)
