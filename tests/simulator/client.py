"""A client of the simulated cloud, in the same process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

from exporter.simulator.app import create_app
from exporter.simulator.clock import SimulatedClock
from exporter.simulator.options import Credentials, Options
from exporter.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.simulator.service import Service

ACCOUNT = Credentials()
DAY = 86_400
NOW = 1_750_000_000 // DAY * DAY


class Cloud:
    """The application with a clock that only moves by hand, and a client with the fixed token."""

    def __init__(
        self, worlds: World | Sequence[World], options: Options | None = None, *, faults: str = ""
    ) -> None:
        self.wall = float(NOW)
        self.waited: list[float] = []
        self.app = create_app(
            worlds, options, faults=faults, clock=SimulatedClock(lambda: self.wall), sleep=self._sleep
        )
        self.service: Service = self.app.state.service
        self.world = next(iter(self.service.worlds.values()))
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://simulator",
            headers={"X-Auth-Token": ACCOUNT.token},
        )

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    @property
    def tasks(self) -> str:
        """The path of the first project's tasks."""
        return f"/v2/{self.world.project.id}/scheduled-tasks"

    async def get(self, path: str, **arguments: object) -> httpx.Response:
        """Read a path with the fixed token."""
        query = {name: str(value) for name, value in arguments.items()}
        return await self.client.get(path, params=query)

    async def tree(self, path: str, **arguments: object) -> dict[str, Any]:
        """Return what a good answer says."""
        response = await self.get(path, **arguments)
        assert response.status_code == 200, response.text
        tree = response.json()
        assert isinstance(tree, dict)
        return tree

    async def control(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Use the control path; return what it says."""
        response = await self.client.request(method, f"/simulator/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()
