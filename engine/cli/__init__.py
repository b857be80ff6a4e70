"""dpa.engine.cli: the top floor: every command, what people see of it, and how errors reach them."""


def main() -> None:
    """The console script `dpa-engine`."""
    from dpa.engine.cli.app import app

    app()
