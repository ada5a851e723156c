"""A small Hub on loopback: what `huggingface_hub` asks of the real one to make a dataset and commit files to it.

Objects lie under their hash, as there, so that what was sent once is not asked for again; a commit changes all files at
once. It can be told to fail, and to hold an upload for ever.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKENS = {"hf_writes": True, "hf_reads": False}
"""The tokens of the user `me`, and whether they may write."""


@dataclass
class Dataset:
    """A dataset of `me`."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


@dataclass
class Hub:
    """What the server holds, and what was asked of it."""

    url: str = ""
    datasets: dict[str, Dataset] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    failures: list[tuple[str, int]] = field(default_factory=list)
    """A request whose method and path hold the text is answered with the status, once for each entry."""
    hold_after: int | None = None
    """After so many objects, the next is never taken."""
    holds: threading.Event = field(default_factory=threading.Event)

    def puts(self) -> list[str]:
        """The hashes of the objects that were sent."""
        return [path.rpartition("/")[2] for path in self.asked if path.startswith("PUT /objects/")]


def _git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _is_large(name: str) -> bool:
    return name.endswith(".parquet")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self._is_refused():
            return
        if self.path == "/api/whoami-v2":
            self._send({"name": "me", "type": "user"})
        elif "/xet-write-token/" in self.path:
            self._send({"error": "this user may not store anything"}, 403)
        elif (found := self.hub.datasets.get(name := self._name(self.path))) is not None:
            siblings = [{"rfilename": file} for file in sorted(found.files)]
            self._send({"id": name, "private": found.private, "sha": "0" * 40, "siblings": siblings})
        else:
            self._send({"error": "Repository not found"}, 404)

    def do_PUT(self) -> None:
        data = self._body()
        if self.hub.hold_after is not None and len(self.hub.puts()) >= self.hub.hold_after:
            self.hub.holds.set()
            threading.Event().wait(60)
            return
        if self._is_refused(known=True):
            return
        name = self.path.rpartition("/")[2]
        assert hashlib.sha256(data).hexdigest() == name
        self.hub.objects[name] = data
        self._send({})

    def do_POST(self) -> None:
        data = self._body()
        if self._is_refused():
            return
        path = self.path.partition("?")[0]
        if path == "/api/validate-yaml":
            self._send({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(data))
        elif path.endswith("/preupload/main"):
            self._preupload(path, json.loads(data))
        elif path.endswith(".git/info/lfs/objects/batch"):
            self._batch(json.loads(data))
        elif path.endswith("/commit/main"):
            self._commit(path, [json.loads(line) for line in data.splitlines()])
        else:
            self._send({"error": f"no {path} here"}, 404)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _is_refused(self, *, known: bool = False) -> bool:
        """Whether the request was answered already, with an error."""
        request = f"{self.command} {self.path}"
        self.hub.asked.append(request)
        for number, (text, status) in enumerate(self.hub.failures):
            if text in request:
                del self.hub.failures[number]
                self._send({"error": "out of order"}, status)
                return True
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not known and token not in TOKENS:
            self._send({"error": "Invalid credentials in Authorization header"}, 401)
            return True
        return False

    def _may_write(self, owner: str) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if TOKENS[token] and owner == "me":
            return True
        self._send({"error": "You don't have the rights to do that"}, 403)
        return False

    def _create(self, asked: dict[str, Any]) -> None:
        owner = asked["organization"] or "me"
        if not self._may_write(owner):
            return
        name = f"{owner}/{asked['name']}"
        is_new = name not in self.hub.datasets
        if is_new:
            is_private = asked.get("visibility") == "private" or asked.get("private") is True
            self.hub.datasets[name] = Dataset(is_private)
        self._send({"url": f"{self.hub.url}/datasets/{name}", "name": name}, 200 if is_new else 409)

    def _preupload(self, path: str, asked: dict[str, Any]) -> None:
        there = self.hub.datasets[self._name(path)].files
        files = []
        for file in asked["files"]:
            name, large = file["path"], _is_large(file["path"])
            old = there.get(name)
            oid = None if old is None else hashlib.sha256(old).hexdigest() if large else _git_id(old)
            mode = "lfs" if large else "regular"
            files.append({"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._send({"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for found in asked["objects"]:
            actions = {"upload": {"href": f"{self.hub.url}/objects/{found['oid']}"}}
            is_there = found["oid"] in self.hub.objects
            objects.append({**found, **({} if is_there else {"actions": actions})})
        self._send({"transfer": "basic", "objects": objects})

    def _commit(self, path: str, lines: list[dict[str, Any]]) -> None:
        name = self._name(path)
        dataset = self.hub.datasets[name]
        files = dict(dataset.files)
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    dataset.commits.append(value["summary"])
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.hub.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        dataset.files = files
        commit = f"{len(dataset.commits):040}"
        self._send(
            {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.url}/datasets/{name}/commit/{commit}"}
        )

    def _name(self, path: str) -> str:
        return "/".join(path.removeprefix("/api/datasets/").split("/")[:2])

    def _send(self, value: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status >= 400 and "error" in value:
            self.send_header("X-Error-Message", value["error"])
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A Hub on a free port, until the end of the block."""
    hub = Hub()
    handler = type("_Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
