"""A real browser, if there is one: pages as they are after their scripts, and keys pressed in a tab."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH to look at the page with")
_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
_PATIENCE = 120.0


def dumped(profile: Path, url: str) -> str:
    """The page at an address as the browser has it after its scripts."""
    command = [str(CHROMIUM), *_FLAGS, "--virtual-time-budget=5000", "--dump-dom", f"--user-data-dir={profile}", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True).stdout


class Tab:
    """A page in a browser that takes keys: the part of the DevTools protocol that tests need."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **settings: Any) -> dict[str, Any]:
        """What the browser answers to a method of the protocol."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": settings})
        while (reply := await self._socket.receive_json(timeout=_PATIENCE)).get("id") != self._number:
            pass
        assert "error" not in reply, reply
        result: dict[str, Any] = reply["result"]
        return result

    async def value(self, script: str) -> Any:
        """What a script gives in the page."""
        evaluated = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return evaluated["result"].get("value")

    async def until(self, script: str) -> None:
        """Return once a script gives something that is true."""
        deadline = time.monotonic() + _PATIENCE
        while not await self.value(script):
            assert time.monotonic() < deadline, f"never true: {script}; address {await self.value('location.hash')}"
            await asyncio.sleep(0.02)

    async def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"Enter": "\r", "Escape": ""}.get(key, key)
        code = {"Enter": 13, "Escape": 27}.get(key, 0)
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


async def in_tab(profile: Path, url: str, work: Callable[[Tab], Any]) -> None:
    """Open a browser at an address and do something there."""
    command = [str(CHROMIUM), *_FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", url]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            opened = profile / "DevToolsActivePort"
            while not opened.exists() or "\n" not in opened.read_text():
                assert process.poll() is None
                await asyncio.sleep(0.02)
            async with aiohttp.ClientSession() as client:
                async with client.get(f"http://127.0.0.1:{opened.read_text().split()[0]}/json/list") as reply:
                    page = next(target for target in await reply.json() if target["type"] == "page")
                async with client.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    await work(Tab(socket))
        finally:
            process.terminate()
