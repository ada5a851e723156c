"""The viewer's server: a JSON API over a run's database and the files of the page, on this machine alone.

It listens on 127.0.0.1 and answers only requests that name it so: a page of another web site, whose name someone points
at this machine (DNS rebinding), gets nothing. Each answer opens the database anew, read-only, and leaves the run as it
is.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from ensemble_instruct.errors import InputFileError, StoreError, UsageError
from ensemble_instruct.records import KINDS, STEPS
from ensemble_instruct.store.owner import is_locked
from ensemble_instruct.store.reading import reading, require_run
from ensemble_instruct.viewer import queries
from ensemble_instruct.viewer.queries import DroppedFilter, ExampleFilter

Result = TypeVar("Result")
Word = TypeVar("Word", bound=str)
PAGE_FILES = {
    "": ("page.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "detail.js": ("detail.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""By the path of a request: the file of the page, and its media type."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""With every answer: nothing is loaded from elsewhere, nothing is kept."""
_LOCAL = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?", re.IGNORECASE)
"""Values of the header `Host` that name this machine."""
_MOST_ROWS = 200
"""Of one answer, whatever limit a request names."""


async def serve(folder: Path, port: int, announce: Callable[[str], None], *, open_browser: bool) -> None:
    """Show a run at http://127.0.0.1:`port`/ (0: a free one) until SIGINT or SIGTERM, then return.

    `announce` gets the one line with the address once the server answers. Raises `InputFileError` for a folder
    that is no run, `StoreError` for a database that cannot be read, `UsageError` for a port that is taken.
    """
    _read(folder, queries.overview)
    ended = asyncio.Event()
    if threading.current_thread() is threading.main_thread():  # no other hears signals
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = web.AppRunner(make_app(folder), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(
                f"--port {port}: cannot be used: {os.strerror(error.errno or 0)}; name another, or none for a free one"
            ) from error
        address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        announce(f"{folder} is shown at {address} until Ctrl-C")
        if open_browser and has_display():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        await ended.wait()
    finally:
        await runner.cleanup()


def has_display() -> bool:
    """Whether a browser could show a window here."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def make_app(folder: Path) -> web.Application:
    """The API and the page over one run folder."""
    app = web.Application(middlewares=[_guard])
    app.on_response_prepare.append(_add_headers)
    page = files("ensemble_instruct.viewer")
    for path, (name, content_type) in PAGE_FILES.items():
        app.router.add_get(f"/{path}", _file_handler(page.joinpath(name).read_bytes(), content_type))

    def api(path: str, query: Callable[[sqlite3.Connection, web.Request], Any]) -> None:
        async def handle(request: web.Request) -> web.Response:
            answer = await asyncio.to_thread(_read, folder, lambda connection: query(connection, request))
            if answer is None:
                return _json({"error": "there is no such row in this run"}, 404)
            return _json(answer)

        app.router.add_get(path, handle)

    api("/api/run", lambda connection, _: {**queries.overview(connection), **_place(folder, connection)})
    api("/api/examples", _examples)
    api("/api/examples/{id}", _example)
    api("/api/dropped", _dropped)
    api(
        r"/api/dropped/{number:\d{1,15}}",
        lambda connection, request: queries.dropped_detail(connection, int(request.match_info["number"])),
    )
    return app


def _read(folder: Path, query: Callable[[sqlite3.Connection], Result]) -> Result:
    """What a query says about one state of the run."""
    with reading(require_run(folder)) as connection:
        connection.execute("BEGIN")
        return query(connection)


def _place(folder: Path, connection: sqlite3.Connection) -> dict[str, str]:
    """The name of the run, and whether a process works on it."""
    finished = connection.execute("SELECT 1 FROM meta WHERE name = 'state' AND value = 'finished'").fetchone()
    state = "finished" if finished else "running" if is_locked(folder / "run.db") else "stopped"
    return {"name": folder.resolve().name, "state": state}


def _examples(connection: sqlite3.Connection, request: web.Request) -> Any:
    query = request.query
    wanted = ExampleFilter(
        kind=_one_of(query, "kind", KINDS),
        text=query.get("text", ""),
        least=_number(query, "from", 0.0),
        most=_number(query, "to", 1.0),
        winner=query.get("winner", ""),
    )
    return queries.examples_page(connection, wanted, *_window(query))


def _example(connection: sqlite3.Connection, request: web.Request) -> Any:
    return queries.example_detail(connection, request.match_info["id"], _count(request.query, "at", -1))


def _dropped(connection: sqlite3.Connection, request: web.Request) -> Any:
    query = request.query
    wanted = DroppedFilter(
        step=_one_of(query, "step", STEPS),
        reason=query.get("reason", ""),
        kind=_one_of(query, "kind", KINDS),
        text=query.get("text", ""),
    )
    return queries.dropped_page(connection, wanted, *_window(query))


def _window(query: Mapping[str, str]) -> tuple[int, int]:
    return _count(query, "offset", 0), min(_MOST_ROWS, _count(query, "limit", 50))


def _one_of(query: Mapping[str, str], name: str, words: tuple[Word, ...]) -> Word | None:
    value = query.get(name, "")
    if not value:
        return None
    for word in words:
        if word == value:
            return word
    raise UsageError(f"{name}: must be one of {', '.join(words)}")


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    value = query.get(name, "")
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise UsageError(f"{name}: must be a number from 0 to 1")
    return number


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, "")
    if not value:
        return default
    if not re.fullmatch(r"\d{1,15}", value, re.ASCII):
        raise UsageError(f"{name}: must be a whole number")
    return int(value)


@web.middleware
async def _guard(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Refuse other hosts; give errors as JSON of one line."""
    if not _LOCAL.fullmatch(request.headers.get("Host", "")):
        return _json({"error": "this server answers only as 127.0.0.1 or localhost"}, 403)
    try:
        response: web.StreamResponse = await handler(request)
    except (InputFileError, StoreError) as error:
        return _json({"error": str(error)}, 503)
    except UsageError as error:
        return _json({"error": str(error)}, 400)
    return response


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _file_handler(content: bytes, content_type: str) -> Callable[[web.Request], Any]:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=content_type, charset="utf-8")

    return handle


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(value), status=status, content_type="application/json")
