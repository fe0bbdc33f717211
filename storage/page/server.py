"""The page of a store, live: data go to the browser as it asks for them, new results appear."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import xarray as xr

from spinscreen.kernels import InputError, SpinscreenError

from ..catalog import scalar_columns
from ..files.whole import hashed
from ..place import Place, StoreLike
from .columns import column_values
from .document import page_html, policy
from .material import material_page
from .packing import json_bytes, packed_column
from .summary import name_of, summary, with_elements
from .table import ResultTable

_HTML, _JSON, _BYTES = "text/html; charset=utf-8", "application/json", "application/octet-stream"

#: Names by which a browser on this machine, or at the other end of a tunnel, calls the loopback interface.
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: Seconds for which a browser may be silent in the middle of a request.
_PATIENCE = 30


class _Answer(NamedTuple):
    status: HTTPStatus
    kind: str
    content: bytes


class PageServer(ThreadingHTTPServer):
    """Shows the page of a store until it is shut down: `PageServer(store).serve_forever()`.

    host : interface, by default loopback, which nobody but users of this machine can reach; they need the
    address with its secret as well. port : 0 for one that is free. It reads and never writes. Raises
    InputError where there is no store or the port cannot be had.
    """

    daemon_threads = True
    # Two servers on one port would share its visitors.
    allow_reuse_port = False

    def __init__(self, store: StoreLike, host: str = "127.0.0.1", port: int = 0) -> None:
        place = Place.at(store)
        if not place.exists:
            raise InputError(f"{store}: no store found there; `spinscreen run ... --store` makes one.")
        self._secret = secrets.token_urlsafe(16)
        self._host = host
        self.content = LiveContent(place, name_of(store))
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as problem:
            raise InputError(
                f"serve: cannot listen on port {port} of {host} ({getattr(problem, 'strerror', problem)}), "
                "expected a free port of an interface of this machine; 0 finds one."
            ) from None

    @property
    def address(self) -> str:
        """What to open in a browser."""
        host = self._host if self._host not in ("", "0.0.0.0", "::") else socket.gethostname()
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.server_address[1]}/{self._secret}/"

    def knows(self, host: str | None) -> bool:
        """Whether a request means this server by its name: a page elsewhere that has its own name lead here
        does not.
        """
        name = urlsplit(f"//{host or ''}").hostname or ""
        if name in _LOOPBACK or name == self._host.lower():
            return True
        return not _is_loopback(self._host) and name in _names_of_machine()

    def answer(self, target: str) -> _Answer:
        """The answer to a GET of a path with its query."""
        parts = urlsplit(target)
        first, _, path = parts.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(first.encode(), self._secret.encode()):
            return _sentence(
                HTTPStatus.NOT_FOUND, "no page here; open the address that `spinscreen serve` printed."
            )
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            return self.content.answer(path, asked)
        except SpinscreenError as problem:
            # A ValueError too, of which its sentence is the answer.
            return _sentence(HTTPStatus.NOT_FOUND, str(problem))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is nothing to tell of."""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _names_of_machine() -> set[str]:
    name = socket.gethostname().lower()
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        found = set()
    return {name, socket.getfqdn().lower(), *found}


def _sentence(status: HTTPStatus, told: str) -> _Answer:
    return _Answer(status, _JSON, json_bytes({"error": told}))


class LiveContent:
    """Answers by path: the page, and what it asks for. One table at a time, made anew when results appear."""

    def __init__(self, place: Place, shown_as: str) -> None:
        self._place, self._shown_as = place, shown_as
        self._results = ResultTable(place)
        self._table: xr.Dataset | None = None
        self._revision = ""
        self._lock = Lock()

    def answer(self, path: str, asked: dict[str, str]) -> _Answer:
        """Raises InputError for what is not there."""
        answers: dict[str, Callable[[dict[str, str]], _Answer]] = {
            "": self._page,
            "api/summary": self._summary,
            "api/column": self._column,
            "api/material": self._material,
        }
        if path not in answers:
            return _sentence(HTTPStatus.NOT_FOUND, "no such page.")
        return answers[path](asked)

    def _page(self, asked: dict[str, str]) -> _Answer:
        title = f"{Path(self._shown_as).name} - spinscreen"
        return _Answer(HTTPStatus.OK, _HTML, page_html(json_bytes({"live": True}), title, live=True))

    def _summary(self, asked: dict[str, str]) -> _Answer:
        """All of it, or nothing where the browser has it already."""
        table, revision = self._now()
        if asked.get("revision") == revision:
            return _Answer(HTTPStatus.OK, _JSON, json_bytes({"revision": revision}))
        told = summary(self._place, self._shown_as, table, scalar_columns(table))
        return _Answer(HTTPStatus.OK, _JSON, json_bytes({"live": True, "revision": revision, **told}))

    def _column(self, asked: dict[str, str]) -> _Answer:
        table, revision = self._last()
        name = asked.get("name", "")
        if asked.get("revision") != revision:
            return _sentence(HTTPStatus.CONFLICT, "there are new results.")
        if name not in scalar_columns(table):
            return _sentence(HTTPStatus.NOT_FOUND, "no such column.")
        # One at a time: columns of a catalog are read when they are first asked for.
        with self._lock:
            values = column_values(table, name)
        if isinstance(values, list):
            return _Answer(HTTPStatus.OK, _JSON, json_bytes(values))
        return _Answer(HTTPStatus.OK, _BYTES, packed_column(values))

    def _material(self, asked: dict[str, str]) -> _Answer:
        table, _ = self._last()
        name = asked.get("id", "")
        # Nothing but an id of the table is ever part of a path.
        if name not in table.indexes["material"]:
            return _sentence(HTTPStatus.NOT_FOUND, "no such material.")
        return _Answer(HTTPStatus.OK, _BYTES, material_page(self._place, self._shown_as, name).packed())

    def _last(self) -> tuple[xr.Dataset, str]:
        with self._lock:
            known, revision = self._table, self._revision
        return (known, revision) if known is not None else self._now()

    def _now(self) -> tuple[xr.Dataset, str]:
        """The table as it is now, and what tells it from an earlier one."""
        with self._lock:
            table = self._results.now()
            told = [*map(str, table["material"].values), *table.attrs.get("damaged", ())]
            revision = hashed([told, sorted(map(str, self._failures()))])
            if self._table is None or revision != self._revision:
                self._table, self._revision = with_elements(table), revision
            return self._table, self._revision

    def _failures(self) -> list[str]:
        folder = self._place.path / "failures"
        return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD, nothing else: the base class refuses every other method."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "spinscreen"
    sys_version = ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        self._send(self._answer())

    def do_HEAD(self) -> None:
        self._send(self._answer()._replace(content=b""))

    def _answer(self) -> _Answer:
        try:
            if self.server.knows(self.headers.get("Host")):
                return self.server.answer(self.path)
        except ValueError:
            return _sentence(HTTPStatus.BAD_REQUEST, "an address that cannot be read.")
        except Exception as problem:  # whatever it is, the page says it and the server goes on
            told = f"the server failed ({type(problem).__name__}: {problem})."
            return _sentence(HTTPStatus.INTERNAL_SERVER_ERROR, told)
        told = "another host was asked for; open the address that `spinscreen serve` printed."
        return _sentence(HTTPStatus.FORBIDDEN, told)

    def _send(self, answer: _Answer) -> None:
        self.send_response(answer.status)
        told = {
            "Content-Type": answer.kind,
            "Content-Length": str(len(answer.content)),
            "Content-Security-Policy": f"{policy(live=True)}; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *arguments: Any) -> None:
        """Requests are nobody's news."""
