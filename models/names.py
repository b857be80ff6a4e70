"""Names as people give them: bytes that are no UTF-8, control characters, direction marks. What is printed of
them cannot move a cursor, begin a line or hide what follows."""

import os
import unicodedata
from pathlib import PurePath


def plain(name: str | PurePath) -> str:
    """The name on one line, every unseen character as \\xNN or \\uNNNN; others as they are."""
    told = os.fsencode(name).decode("utf-8", "backslashreplace") if _has_surrogates(str(name)) else str(name)
    if told.isascii() and told.isprintable():
        return told
    return "".join(_seen(letter) for letter in told)


def _has_surrogates(name: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in name)


def _seen(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def plain_lines(text: str) -> str:
    """Text of several lines, each made plain."""
    return "\n".join(plain(line) for line in text.split("\n"))
