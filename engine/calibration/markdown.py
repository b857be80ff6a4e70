"""The calibration for a README: the table, and under it the command of each cell."""

from collections import defaultdict

from dpa.engine.calibration.scale import Calibration
from dpa.engine.report.markdown import markdown_table


def calibration_markdown(found: Calibration) -> str:
    """Commands that differ in the network's name in the zoo alone are one line, with zoo:NAME."""
    made = found.table()
    commands = markdown_table(("measures", "networks", "command"), command_rows(found), words=True)
    return f"{markdown_table(made.columns, made.rows)}\n{made.note}\n\n{commands}"


def command_rows(found: Calibration) -> list[tuple[str, str, str]]:
    """(titles of the measures, names of the networks, the command that prints these cells)."""
    titles: dict[str, list[str]] = defaultdict(list)
    for line in found.lines:
        titles[line.measure.stage].append(line.measure.title)
    rows = []
    for stage, measures in titles.items():
        alike: dict[str, list[str]] = defaultdict(list)
        for name, told in found.commands.items():
            if stage in told:
                alike[told[stage].replace(f"zoo:{name}", "zoo:NAME")].append(name)
        for general, names in alike.items():
            whose = "all" if len(names) == len(found.networks) > 1 else ", ".join(names)
            command = found.commands[names[0]][stage] if len(names) == 1 else general
            escaped = command.replace("|", "\\|")
            rows.append((", ".join(measures), whose, f"`{escaped}`"))
    return rows
