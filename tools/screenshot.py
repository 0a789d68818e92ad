"""Takes the README's picture of the status page: the running demo, in a real Chromium. `make screenshot`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.endtoend.processes import free_port
from tests.page.browser import Browser, browser
from tests.programs import find_program

PICTURE: Final = Path(__file__).parents[1] / "docs" / "images" / "status-page.png"
WIDTH, HEIGHT = 1400, 900
"""In pixels: the head of the page and the tasks that need somebody."""
_PASSED_ON: Final = ("content-type", "content-security-policy")
_DEADLINE: Final = 60.0


async def main() -> int:
    """Start the demo, look at it, write the picture; returns the exit code."""
    program = find_program("chromium")
    if program is None:
        sys.stderr.write("chromium is not installed\n")
        return 1
    async with _demo() as url, httpx.AsyncClient(base_url=url) as client:
        await _all_read(client)
        with tempfile.TemporaryDirectory() as profile:
            async with browser(program, _through(client), Path(profile)) as page:
                PICTURE.parent.mkdir(exist_ok=True)
                PICTURE.write_bytes(await _picture(page))
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB\n")
    return 0


async def _picture(page: Browser) -> bytes:
    await page.emulate(width=WIDTH, height=HEIGHT)
    await page.goto("/")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": 1}
    answer = await page.call("Page.captureScreenshot", format="png", optimizeForSpeed=False, clip=clip)
    return base64.b64decode(answer["data"])


@contextlib.asynccontextmanager
async def _demo() -> AsyncIterator[str]:
    """The demo on free ports; it has ended when the block ends."""
    port, cloud = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "exporter", "demo", "--log.level", "error"),
        *("--web.listen-address", f"127.0.0.1:{port}", "--simulator.listen-address", f"127.0.0.1:{cloud}"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _all_read(client: httpx.AsyncClient) -> None:
    """Wait until no task is still to be read."""
    async with asyncio.timeout(_DEADLINE):
        while True:
            with contextlib.suppress(httpx.TransportError):
                tasks = (await client.get("/api/v1/tasks")).json()["tasks"]
                if tasks and all(task["verdict"] != "pending" for task in tasks):
                    return
            await asyncio.sleep(0.2)


def _through(client: httpx.AsyncClient) -> Starlette:
    """An application that asks the demo: the browser loads its pages from one, and needs no socket."""

    async def ask(request: Request) -> Response:
        answer = await client.get(request.url.path, params=request.query_params)
        headers = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        return Response(answer.content, answer.status_code, headers)

    return Starlette(routes=[Route("/{path:path}", ask)])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
