"""The simulated cloud as one object, one request to it, and the question who may ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.simulator.answers import Answer, gateway_error
from exporter.simulator.faults import Faults
from exporter.simulator.identity import Identity, RefusedError
from exporter.simulator.options import Options
from exporter.simulator.signature import SignedRequest
from exporter.simulator.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.simulator.clock import SimulatedClock
    from exporter.simulator.tasks import Project
    from exporter.simulator.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an operation.

    `path` and `query` are still percent-encoded, `arguments` are those of the query, `parameters` those of
    the path; `headers` are by lower-case name.
    """

    operation: str
    method: str
    path: str
    query: str
    arguments: Mapping[str, str]
    parameters: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    request_id: str

    def signed(self) -> SignedRequest:
        """Return what a signature covers."""
        return SignedRequest(self.method, self.path, self.query, self.headers, self.body)


class Service:
    """Everything that the simulated cloud remembers. The first world's project is the fixed token's scope.

    `options` may be replaced, and `faults`, `identity`, `tally` and the worlds be used, while it runs.
    """

    def __init__(
        self, worlds: Sequence[World], clock: SimulatedClock, options: Options, faults: str, seed: int
    ) -> None:
        if not worlds:
            raise ValueError("a service has at least one world")
        self.worlds = {world.project.id: world for world in worlds}
        self.clock = clock
        self.options = options
        self.faults = Faults(faults, seed=seed)
        self.tally = Tally()
        self.identity = Identity(options, worlds[0].project.id, self.wall())
        self.answered = 0

    def wall(self) -> float:
        """Return what the service takes for the real time: its clock may be wrong."""
        return self.clock.wall() + self.options.clock_skew

    def projects(self) -> list[Project]:
        """Return the account's projects."""
        return [world.project for world in self.worlds.values()]


def refusal(service: Service, call: Call, project_id: str | None) -> Answer | None:
    """Return why the call may not be made; none where it may.

    A token must have the project as its scope (`None`: any scope will do); access keys open every project.
    """
    now = service.wall()
    try:
        token = call.headers.get("x-auth-token")
        if token is not None:
            scope = service.identity.token(token, now).project_id
            if project_id not in {None, scope}:
                return gateway_error(
                    403, "APIGW.0302", "The token's scope is another project", call.request_id
                )
        elif "authorization" in call.headers:
            service.identity.check_signature(call.signed(), now)
        else:
            return _unauthorized("Incorrect IAM authentication information: x-auth-token not found", call)
    except RefusedError as error:
        return _unauthorized(str(error), call)
    return None


def _unauthorized(message: str, call: Call) -> Answer:
    return gateway_error(401, "APIGW.0301", message, call.request_id)
