"""dpa.engine.cli: the top floor: every command, what people see of it, and how errors reach them."""


def main() -> None:
    """The console script `dpa-engine`."""
    import sys

    from dpa.engine.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that is not UTF-8 loses no run
            stream.reconfigure(errors="backslashreplace")
    app()
