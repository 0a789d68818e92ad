"""The script's way in over HTTP, below `/simulator/`; all bodies are JSON.

::

    GET    /simulator/requests         counts by operation (DELETE: from nothing again); ?log=N: the newest
    GET    /simulator/ledger           what really happened; ?since=&until=&task_id=&desktops=1
    GET    /simulator/clock            {"now", "wall", "speed"}; POST {"advance": seconds}
    GET    /simulator/faults           {"spec"}; PUT {"spec": "500@records:x2"}; DELETE
    GET    /simulator/options          PATCH {"order": "oldest"}
    POST   /simulator/tokens           {"lifetime": seconds} -> {"token"}; DELETE revokes all tokens
    POST   /simulator/tasks            {"plan": {…}, "name", "behaviour", …} -> {"task_id"}
    POST   /simulator/tasks/ID/ACTION  rename {"name"}, behave {"behaviour"}, edit {"plan"}, disable, enable,
                                       delete, run {…} -> the run, miss {"due"} -> {"due"},
                                       finish {"run_id", "status", …} -> the run

Changes hold from the simulated now on. A `plan` has the fields of `plan.Plan`. A run has those of
`planting.PlantedRun`; `in` (seconds from now) may stand for `start`, and `"replaces": "next"` for the next
occurrence, at which the run then starts unless it says otherwise. A miss without `due` is the next
occurrence. `?project=ID` chooses among several projects; without it the first is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from exporter.simulator.actions import ACTIONS
from exporter.simulator.options import changed
from exporter.simulator.script import TASK, checked, plan_of
from exporter.simulator.tasks import UnknownTaskError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from exporter.simulator.service import Service
    from exporter.simulator.world import World

Tree = dict[str, Any]
Handler = Callable[["Service", "Request", Any], Tree]


def control_routes(service: Service) -> list[Route]:
    """Return the routes of the control path."""
    return [
        Route(path, _endpoint(service, handler), methods=[method])
        for (method, path), handler in _HANDLERS.items()
    ]


def _endpoint(service: Service, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json() if request.method in {"POST", "PUT", "PATCH"} else None
            return JSONResponse(handler(service, request, body))
        except UnknownTaskError as error:
            return JSONResponse({"error": f"there is no task {error}"}, 404)
        except (ValueError, LookupError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return endpoint


def _requests(service: Service, request: Request, _: object) -> Tree:
    tree = service.tally.as_json()
    wanted = int(request.query_params.get("log", "0"))
    if wanted > 0:
        newest = islice(reversed(service.tally.log), wanted)
        tree["log"] = [asdict(seen) for seen in newest][::-1]
    return tree


def _forget_requests(service: Service, _request: Request, _: object) -> Tree:
    service.tally.reset()
    return service.tally.as_json()


def _ledger(service: Service, request: Request, _: object) -> Tree:
    asked = request.query_params
    ledger = _world(service, request).ledger(
        float(asked.get("until", service.clock.now())),
        float(asked.get("since", -inf)),
        task_id=asked.get("task_id"),
    )
    return ledger.as_json(with_desktops=asked.get("desktops") == "1")


def _clock(service: Service, _request: Request, _: object) -> Tree:
    clock = service.clock
    return {"now": clock.now(), "wall": clock.wall(), "speed": clock.speed}


def _advance(service: Service, request: Request, body: object) -> Tree:
    service.clock.advance(checked(body, {"advance": (int, float)}, "advance")["advance"])
    return _clock(service, request, None)


def _faults(service: Service, _request: Request, _: object) -> Tree:
    faults = service.faults
    struck = [{"fault": rule.fault.name, "seen": rule.seen, "struck": rule.struck} for rule in faults.rules]
    return {"spec": faults.spec, "rules": struck}


def _put_faults(service: Service, request: Request, body: object) -> Tree:
    service.faults.put(checked(body, {"spec": (str,)}, "spec")["spec"])
    return _faults(service, request, None)


def _end_faults(service: Service, request: Request, _: object) -> Tree:
    service.faults.put("")
    return _faults(service, request, None)


def _options(service: Service, _request: Request, _: object) -> Tree:
    tree = asdict(service.options)
    del tree["credentials"]
    return tree


def _change_options(service: Service, request: Request, body: object) -> Tree:
    if not isinstance(body, dict):
        raise ValueError("the body is no JSON object")  # noqa: TRY004 - to the script it is a bad value
    service.options = changed(service.options, body)
    return _options(service, request, None)


def _new_token(service: Service, request: Request, body: object) -> Tree:
    lifetime = checked(body, {"lifetime": (int, float)}).get("lifetime", service.options.token_lifetime)
    project_id = _world(service, request).project.id
    return {"token": service.identity.issue_token(project_id, lifetime, service.wall())}


def _revoke_tokens(service: Service, _request: Request, _: object) -> Tree:
    service.identity.revoke_tokens()
    return {}


def _add_task(service: Service, request: Request, body: object) -> Tree:
    members = checked(body, TASK, "plan")
    plan = plan_of(members.pop("plan"))
    return {"task_id": _world(service, request).add_task(plan, service.clock.now(), **members)}


def _act(service: Service, request: Request, body: object) -> Tree:
    action, task_id = request.path_params["action"], request.path_params["task_id"]
    if action not in ACTIONS:
        raise ValueError(f"action {action!r} is none of {', '.join(ACTIONS)}")
    return ACTIONS[action](_world(service, request), task_id, service.clock.now(), body)


def _world(service: Service, request: Request) -> World:
    project_id = request.query_params.get("project")
    if project_id is None:
        return next(iter(service.worlds.values()))
    if project_id not in service.worlds:
        raise LookupError(f"there is no project {project_id}")
    return service.worlds[project_id]


_HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("GET", "/simulator/requests"): _requests,
    ("DELETE", "/simulator/requests"): _forget_requests,
    ("GET", "/simulator/ledger"): _ledger,
    ("GET", "/simulator/clock"): _clock,
    ("POST", "/simulator/clock"): _advance,
    ("GET", "/simulator/faults"): _faults,
    ("PUT", "/simulator/faults"): _put_faults,
    ("DELETE", "/simulator/faults"): _end_faults,
    ("GET", "/simulator/options"): _options,
    ("PATCH", "/simulator/options"): _change_options,
    ("POST", "/simulator/tokens"): _new_token,
    ("DELETE", "/simulator/tokens"): _revoke_tokens,
    ("POST", "/simulator/tasks"): _add_task,
    ("POST", "/simulator/tasks/{task_id}/{action}"): _act,
}
