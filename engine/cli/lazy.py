"""Commands that are imported when they are run or asked for their own help, so that a list of them costs
nothing: what it says of each is written beside its name, and help is plain text, as drawing it in boxes
would import more than all of this."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Command:
    """home: module and function, as 'dpa.engine.cli.train:train'. told: its line in a list of commands, the
    first sentence of the function's own help. networks: whether it runs networks, which may be programs."""

    home: str
    told: str
    networks: bool = False

    def made(self, name: str) -> Any:
        """The command itself, imported."""
        module, _, function = self.home.partition(":")
        from dpa.engine.cli.inputs import sound_numbers

        work = sound_numbers(getattr(import_module(module), function))
        if self.networks:
            from dpa.engine.cli.inputs import takes_networks

            work = takes_networks(work)
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(work)
        return typer.main.get_command(app)


@dataclass(frozen=True)
class Group:
    """Commands below one name."""

    told: str
    commands: Mapping[str, Command]

    def made(self, name: str) -> Any:
        """The group; none of its commands is imported."""
        app = typer.Typer(
            name=name,
            cls=lazily(self.commands),
            help=self.told,
            no_args_is_help=True,
            rich_markup_mode=None,
        )
        app.callback()(lambda: None)
        return typer.main.get_group(app)


class Shelf(MutableMapping[str, Any]):
    """Commands by name, each made when it is first taken."""

    def __init__(self, entries: Mapping[str, Command | Group]) -> None:
        self._entries, self._made = dict(entries), dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._entries[name].made(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def lazily(entries: Mapping[str, Command | Group], base: type[TyperGroup] = TyperGroup) -> type[TyperGroup]:
    """A group of these commands, as a kind of `base`."""

    class Lazy(base):  # type: ignore[misc, valid-type]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings | {"commands": {}})
            self.commands, self._listing = Shelf(entries), False

        def list_commands(self, ctx: Any) -> list[str]:
            return list(self.commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if self._listing:
                return TyperCommand(cmd_name, short_help=entries[cmd_name].told)
            return self.commands.get(cmd_name)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            self._listing = True
            try:
                super().format_help(ctx, formatter)
            finally:
                self._listing = False

    return Lazy
