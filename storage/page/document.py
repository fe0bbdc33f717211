"""The page as one file of HTML: style, scripts and data inside, nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from importlib.resources import files

#: In the order in which they are run; the first are parts of others, unchanged, see vendor/README.md.
_VENDORED = ("d3.min.js", "plot.umd.min.js", "tabulator.min.js")
_OWN = (
    "format.js",
    "source.js",
    "filters.js",
    "download.js",
    "charts.js",
    "table.js",
    "panel.js",
    "map.js",
    "about.js",
    "material.js",
    "main.js",
)

_STYLES = ("vendor/tabulator.min.css", "assets/page.css")

#: Where the parts go in page.html.
_STYLE, _DATA, _SCRIPTS, _TITLE, _POLICY = "%STYLE%", "%DATA%", "%SCRIPTS%", "%TITLE%", "%POLICY%"


def page_html(data: bytes, title: str, live: bool) -> bytes:
    """The page with its data, JSON in UTF-8; live: it may ask the server that it came from for more."""
    # In JSON a "<" is only ever in texts, where its escape means the same; so no text ends the element.
    safe = data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    before, after = _frame(live)
    return before.replace(_TITLE.encode(), escape(title).encode("utf-8", "replace"), 1) + safe + after


def policy(live: bool) -> str:
    """Content security policy: the scripts of the page and no other, no network but its own server's data."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in _scripts())
    reach = "connect-src 'self'" if live else "connect-src 'none'"
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; {reach}; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _frame(live: bool) -> tuple[bytes, bytes]:
    """What is before the data and what is behind."""
    scripts = "\n".join(f"<script>{script}</script>" for script in _scripts())
    page = _asset("assets/page.html").replace(_POLICY, policy(live), 1)
    page = page.replace(_STYLE, "\n".join(map(_asset, _STYLES)), 1)
    before, after = page.split(_DATA)
    return before.encode(), after.replace(_SCRIPTS, scripts, 1).encode()


@cache
def _scripts() -> tuple[str, ...]:
    own = "\n".join(_asset(f"assets/{name}") for name in _OWN)
    return (*(_asset(f"vendor/{name}") for name in _VENDORED), f'"use strict";\n(() => {{\n{own}\n}})();\n')


def _asset(name: str) -> str:
    text = (files(__package__) / name).read_text("utf-8")
    # A debugger would ask the network for it.
    return "\n".join(line for line in text.split("\n") if "sourceMappingURL=" not in line or len(line) > 200)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
