"""The style of docstrings here, `name : what it is`, as a list of Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ARGUMENT = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (.*)")


class Arguments(Extension):
    """Lines that begin with `name :` become items; lines that follow deeper belong to them."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite one docstring before it is parsed."""
        if obj.docstring:
            obj.docstring.value = "\n".join(_with_items(obj.docstring.value.splitlines()))


def _with_items(lines: list[str]) -> list[str]:
    found: list[str] = []
    inside = False
    for line in lines:
        argument = _ARGUMENT.match(line)
        ends = inside and not line.startswith(" ")
        if (argument and not inside) or (ends and not argument and line):
            found.append("")
        inside = bool(argument) or (inside and line.startswith(" "))
        found.append(f"- `{argument[1]}`: {argument[2]}" if argument else line)
    return found
