"""From a reproduction's folder to its page: report.html, report.md, results.json, figures and tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from dpa.engine.analysis.registry import FigureSpec
from dpa.engine.attack.summary import data_note
from dpa.engine.report.figures import commands_of_figure, missing_of, page_figures, shown
from dpa.engine.report.findings import Findings, read_findings
from dpa.engine.report.page_html import DrawnFigure, page_html
from dpa.engine.report.page_results import page_results
from dpa.engine.report.page_tables import PageTable, page_tables
from dpa.engine.report.renderers import to_csv, to_latex, to_markdown
from dpa.engine.report.sections import SECTIONS, headline
from dpa.engine.report.verdicts import of_figure, of_table
from dpa.engine.runs.directory import RESULTS, RunDirectory

PAGE, TWIN = "report.html", "report.md"


def write_page(base: Path, images: bool = True, own: Sequence[str] = ()) -> Path:
    """Returns the page's path. images: False leaves every frame out of the page and of figures/. own: users'
    own analyses that may be loaded (`read_findings`). Raises NotARun, IncompleteRun."""
    findings = read_findings(base, own)
    results = page_results(findings)
    tables = page_tables(findings)
    run = RunDirectory(base)
    run.write_json(RESULTS, results)
    write_tables(run, tables)
    figures = [draw(run, spec, stage, findings, images) for spec, stage in page_figures(findings)]
    run.write_text(TWIN, page_markdown(findings, tables, figures))
    run.write_text(PAGE, page_html(findings, results, tables, figures, images))
    return base / PAGE


def write_tables(run: RunDirectory, tables: Mapping[str, PageTable]) -> None:
    """tables/KEY.csv and .tex."""
    for key, one in tables.items():
        with run.writing(f"tables/{key}.csv") as path:
            path.write_text(to_csv(one.table))
        with run.writing(f"tables/{key}.tex") as path:
            path.write_text(to_latex(one.table))


def draw(run: RunDirectory, spec: FigureSpec, stage: str, findings: Findings, images: bool) -> DrawnFigure:
    """figures/KEY.png and .svg; files of an earlier page, which may hold frames, are replaced or removed."""
    networks = shown(spec, stage, findings)
    paths = [run.path / f"figures/{spec.key}.{ending}" for ending in ("png", "svg")]
    if not networks:
        for path in paths:
            path.unlink(missing_ok=True)
        return DrawnFigure(spec, stage, None, None, False)
    _save(run, spec.draw(networks, images), paths)
    return DrawnFigure(spec, stage, paths[0], paths[1], spec.frames and images)


def _save(run: RunDirectory, figure: Figure, paths: Sequence[Path]) -> None:
    for path in paths:
        with run.writing(f"figures/{path.name}") as temporary:
            figure.savefig(temporary, metadata={"Date": None} if path.suffix == ".svg" else None)


def page_markdown(findings: Findings, tables: Mapping[str, PageTable], figures: Sequence[DrawnFigure]) -> str:
    """The page's twin for terminals and repositories: the same sections, tables and figures in the same
    order."""
    parts = ["# How far are pose and appearance disentangled?", headline(findings)]
    parts.append(f"> {data_note(findings.source)}")
    parts += [f"Missing: {one['title']}. Build it with `{one['command']}`." for one in findings.missing]
    parts += [f"Left out: {left_out(name)}" for name in findings.left_out]
    parts.append(_table(tables["summary"]))
    for section in SECTIONS:
        parts += [f"## {section.title}", section.lead]
        parts += [_table(tables[key], of_table(key, findings)) for key in section.tables if key in tables]
        parts += [_figure(one, findings) for one in figures if one.spec.section == section.key]
    return "\n\n".join(parts) + "\n"


def left_out(name: str) -> str:
    """What to do about an analysis whose code was not named."""
    return f"`{name}`, whose code runs only where it is named: `dpa-engine report FOLDER --analysis {name}`."


def _table(one: PageTable, verdicts: Sequence[str] = ()) -> str:
    made = one.table
    told = "".join(f"\n**{line.replace(': ', '**: ', 1)}\n" for line in verdicts)
    return f"### {made.title}\n\n{to_markdown(made)}{told}\n{made.note}\n\n{_commands(one.commands)}"


def _figure(one: DrawnFigure, findings: Findings) -> str:
    spec = one.spec
    lines = [f"### {spec.heading}"]
    if one.png is not None:
        lines.append(f"![{spec.heading}](figures/{spec.key}.png)")
    lines.append(spec.caption)
    lines += [f"**{line.replace(': ', '**: ', 1)}" for line in of_figure(spec, findings)]
    lines += [f"Missing here: `{command}`" for command in missing_of(spec, findings)]
    commands = commands_of_figure(spec, one.stage, findings)
    return "\n\n".join([*lines, _commands(commands)] if commands else lines)


def _commands(commands: Sequence[str]) -> str:
    return "\n".join(["```sh", *commands, "```"])
