"""A real Chromium, driven over the DevTools protocol, which loads its pages from an ASGI application.

The protocol runs over a pipe (`--remote-debugging-pipe`: descriptors 3 and 4, messages end with NUL), and
every request of the page is answered through `Fetch.requestPaused`: no socket, no port, and a request to
any other host is seen and refused.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import ASGIApp

ORIGIN = "http://exporter.test"
_DEADLINE = 20.0
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# Chromium wants exactly the descriptors 3 and 4; a spawned child inherits others, which this moves there.
_LAUNCH = (
    "import fcntl, os, sys\n"
    "read, write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])\n"
    "os.dup2(read, 3); os.dup2(write, 4)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


class ScriptError(AssertionError):
    """An expression threw in the page."""


class Browser:
    """One browser process with one page."""

    def __init__(self, app: ASGIApp) -> None:
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN)
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._loaded = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.console: list[str] = []
        """What the page wrote on its console, and every exception that nobody caught."""
        self.requests: list[str] = []
        """Every address that the page asked for."""

    async def goto(self, path: str) -> None:
        """Load a page and wait until its load event."""
        async with self.navigation():
            await self.call("Page.navigate", url=ORIGIN + path)

    @contextlib.asynccontextmanager
    async def navigation(self) -> AsyncIterator[None]:
        """Wait, after the block, until the page that it went to has loaded."""
        self._loaded.clear()
        yield
        async with asyncio.timeout(_DEADLINE):
            await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression (a promise is awaited). Raises ScriptError."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise ScriptError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    async def wait_for(self, expression: str) -> None:
        """Wait until an expression is true, looked at once a frame."""
        look = f"const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look();"
        script = f"new Promise(done => {{ {look} }})"
        async with asyncio.timeout(_DEADLINE):
            await self.evaluate(script)

    async def press(self, key: str, *, text: str = "") -> None:
        """Press and release a key."""
        code = {"Tab": 9, "Enter": 13}.get(key, 0)
        key_text = {"text": text} if text else {}
        await self.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **key_text
        )
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def type(self, text: str) -> None:
        """Type text into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def emulate(
        self, *, width: int, height: int = 900, dark: bool = False, zone: str = "Europe/Madrid"
    ) -> None:
        """Set the viewport, the colour scheme and the viewer's time zone."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[feature])
        await self.call("Emulation.setTimezoneOverride", timezoneId=zone)

    async def script_enabled(self, *, enabled: bool) -> None:
        """Switch the page's own scripts on or off."""
        await self.call("Emulation.setScriptExecutionDisabled", value=not enabled)

    async def screenshot(self) -> bytes:
        """Return a PNG of the whole page."""
        size = (await self.call("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 8000), "scale": 1}
        answer = await self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
        )
        return base64.b64decode(answer["data"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result. Raises AssertionError for the protocol's error."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._write.write(json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(_DEADLINE):
            return await answer

    async def __aenter__(self) -> Self:
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Fetch.enable", patterns=[{"urlPattern": "*"}])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._session = None
        with contextlib.suppress(TimeoutError, OSError):
            await self.call("Browser.close")

    def attach(self, read: asyncio.StreamReader, write: asyncio.StreamWriter) -> asyncio.Task[None]:
        """Take the two ends of the pipe; the returned task reads until the browser closes it."""
        self._write = write
        return asyncio.create_task(self._listen(read))

    async def close(self) -> None:
        """Release the application and what is still being answered."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _listen(self, read: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                self._take(json.loads((await read.readuntil(b"\0"))[:-1]))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result({})

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            answer = self._answers.pop(message["id"])
            if "error" in message:
                answer.set_exception(AssertionError(f"DevTools: {message['error']}"))
            else:
                answer.set_result(message["result"])
            return
        params = message["params"]
        match message["method"]:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.consoleAPICalled":
                self.console.append(json.dumps(params["args"]))
            case "Runtime.exceptionThrown":
                self.console.append(json.dumps(params["exceptionDetails"]))
            case "Log.entryAdded":
                self.console.append(json.dumps(params["entry"]))
            case "Fetch.requestPaused":
                task = asyncio.create_task(self._answer(params))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case _:
                pass

    async def _answer(self, paused: dict[str, Any]) -> None:
        request, number = paused["request"], paused["requestId"]
        self.requests.append(request["url"])
        if not request["url"].startswith(ORIGIN + "/"):
            await self.call("Fetch.failRequest", requestId=number, errorReason="BlockedByClient")
            return
        try:
            answer = await self._client.request(request["method"], request["url"], headers=request["headers"])
        except ConnectionError:
            await self.call("Fetch.failRequest", requestId=number, errorReason="ConnectionReset")
            return
        # httpx has decoded the content, so its coding is not passed on.
        headers = [
            {"name": name, "value": value}
            for name, value in answer.headers.items()
            if name not in {"content-encoding", "content-length"}
        ]
        await self.call(
            "Fetch.fulfillRequest",
            requestId=number,
            responseCode=answer.status_code,
            responseHeaders=headers,
            body=base64.b64encode(answer.content).decode(),
        )


@contextlib.asynccontextmanager
async def browser(program: str, app: ASGIApp, profile: Path) -> AsyncIterator[Browser]:
    """Start a browser on an application; `profile` is an empty folder. It has ended when the block ends."""
    to_child, to_browser = os.pipe()
    from_browser, from_child = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _LAUNCH,
        str(to_child),
        str(from_child),
        program,
        *_FLAGS,
        f"--user-data-dir={profile}",
        pass_fds=(to_child, from_child),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "TZ": "UTC", "LANG": "C.UTF-8"},
    )
    os.close(to_child)
    os.close(from_child)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    read_transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_browser, "rb", buffering=0)
    )
    write_transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(to_browser, "wb", buffering=0)
    )
    page = Browser(app)
    listening = page.attach(reader, asyncio.StreamWriter(write_transport, protocol, None, loop))
    try:
        async with page:
            yield page
    finally:
        write_transport.close()
        try:
            await asyncio.wait_for(process.wait(), _DEADLINE)
        except TimeoutError:
            process.kill()
            await process.wait()
        await listening
        read_transport.close()
        await page.close()
