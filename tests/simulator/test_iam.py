"""IAM and the metadata service over HTTP, in one process."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator.options import Options
from exporter.simulator.signature import SignedRequest, signature
from exporter.simulator.world import World
from tests.simulator.client import ACCOUNT, NOW, Cloud


def _request(password: str = ACCOUNT.password, scope: dict[str, Any] | None = None) -> dict[str, Any]:
    user = {"name": ACCOUNT.user_name, "password": password, "domain": {"name": ACCOUNT.domain_name}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    auth["scope"] = {"project": {"name": "cn-north-4"}} if scope is None else scope
    return {"auth": auth}


def _cloud(options: Options | None = None) -> Cloud:
    cloud = Cloud(World(), options)
    del cloud.client.headers["X-Auth-Token"]
    return cloud


async def test_a_password_gives_a_token_for_the_project() -> None:
    """201, the token in X-Subject-Token, its end and project in the body; it is good until it ends."""
    cloud = _cloud(Options(token_lifetime=3600.0))
    response = await cloud.client.post("/v3/auth/tokens", json=_request())
    assert response.status_code == 201
    token = response.json()["token"]
    assert token["expires_at"] == "2025-06-15T01:00:00.000000Z"
    assert token["issued_at"] == "2025-06-15T00:00:00.000000Z"
    assert (token["project"]["id"], token["project"]["name"]) == (cloud.world.project.id, "cn-north-4")
    assert "catalog" in token
    cloud.client.headers["X-Auth-Token"] = response.headers["X-Subject-Token"]
    await cloud.tree(cloud.tasks, offset=0, limit=1)
    cloud.wall += 3600
    refused = await cloud.get(cloud.tasks, offset=0, limit=1)
    assert (refused.status_code, refused.json()["error_code"]) == (401, "APIGW.0301")
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


async def test_a_catalogue_may_be_left_out() -> None:
    """With ?nocatalog=true."""
    response = await _cloud().client.post("/v3/auth/tokens?nocatalog=true", json=_request())
    assert "catalog" not in response.json()["token"]


@pytest.mark.parametrize("by", ["id", "name"])
async def test_the_scope_is_a_project_by_id_or_name(by: str) -> None:
    """Of several projects the one that is meant; a project beats a domain; an unknown one is refused."""
    one, two = World(seed=1, region="cn-north-4"), World(seed=2, region="eu-west-101")
    cloud = Cloud([one, two])
    scope = {"project": {by: getattr(two.project, by)}, "domain": {"name": ACCOUNT.domain_name}}
    response = await cloud.client.post("/v3/auth/tokens", json=_request(scope=scope))
    assert response.json()["token"]["project"]["id"] == two.project.id
    scope = {"project": {by: "unknown"}}
    assert (await cloud.client.post("/v3/auth/tokens", json=_request(scope=scope))).status_code == 401


async def test_without_a_scope_the_token_is_global_and_opens_no_project() -> None:
    """Workspace is a project's service."""
    cloud = _cloud()
    response = await cloud.client.post("/v3/auth/tokens", json=_request(scope={}))
    assert "project" not in response.json()["token"]
    cloud.client.headers["X-Auth-Token"] = response.headers["X-Subject-Token"]
    assert (await cloud.get(cloud.tasks, offset=0, limit=1)).status_code == 403


async def test_wrong_passwords_are_refused_and_lock() -> None:
    """IAM's nested error; after five of them even the right one is refused for 15 minutes."""
    cloud = _cloud()
    for _ in range(5):
        response = await cloud.client.post("/v3/auth/tokens", json=_request("guess"))
        assert response.status_code == 401
        assert response.json() == {
            "error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}
        }
    locked = await cloud.client.post("/v3/auth/tokens", json=_request())
    assert (locked.status_code, "locked" in locked.json()["error"]["message"]) == (401, True)
    cloud.wall += 15 * 60
    assert (await cloud.client.post("/v3/auth/tokens", json=_request())).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"auth": []}',
        b'{"auth": {"identity": {"methods": ["totp"]}}}',
        b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": 1}}}}}',
        b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"domain": {"name": 1}}}}}}',
    ],
)
async def test_a_body_that_is_no_sign_in_is_400(body: bytes) -> None:
    """In IAM's shape."""
    response = await _cloud().client.post("/v3/auth/tokens", content=body)
    assert (response.status_code, response.json()["error"]["title"]) == (400, "Bad Request")


async def test_a_token_can_be_asked_for_its_end() -> None:
    """GET /v3/auth/tokens with itself or another good one; a bad one is 401, a bad subject 404."""
    cloud = _cloud(Options(fixed_token_lifetime=7200.0))
    issued = (await cloud.client.post("/v3/auth/tokens", json=_request())).headers["X-Subject-Token"]

    async def ask(token: str, subject: str) -> tuple[int, dict[str, Any]]:
        headers = {"X-Auth-Token": token, "X-Subject-Token": subject}
        response = await cloud.client.get("/v3/auth/tokens", headers=headers)
        return response.status_code, response.json()

    status, tree = await ask(ACCOUNT.token, ACCOUNT.token)
    assert (status, tree["token"]["expires_at"]) == (200, "2025-06-15T02:00:00.000000Z")
    status, tree = await ask(ACCOUNT.token, issued)
    assert (status, tree["token"]["expires_at"]) == (200, "2025-06-16T00:00:00.000000Z")
    assert (await ask("invented", issued))[0] == 401
    assert (await ask(issued, "invented"))[0] == 404


async def test_projects_are_found_by_name() -> None:
    """With a token or a signature; without either 401."""
    cloud = Cloud([World(seed=1, region="cn-north-4"), World(seed=2, region="eu-west-101")])
    found = (await cloud.tree("/v3/projects", name="eu-west-101"))["projects"]
    assert [project["name"] for project in found] == ["eu-west-101"]
    assert (await cloud.tree("/v3/projects", name="nowhere"))["projects"] == []
    assert len((await cloud.tree("/v3/projects"))["projects"]) == 2
    cloud.client.headers["X-Auth-Token"] = "invented"
    refused = await cloud.get("/v3/projects", name="eu-west-101")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, 401)


async def test_without_credentials_nothing_opens() -> None:
    """The gateway says what is missing."""
    cloud = _cloud()
    response = await cloud.get(cloud.tasks, offset=0, limit=1)
    assert response.status_code == 401
    assert "x-auth-token not found" in response.json()["error_msg"]


def _signed(cloud: Cloud, access_key: str, secret_key: str, **more: str) -> dict[str, str]:
    headers = {"host": "simulator", "x-sdk-date": "20250615T000000Z", **more}
    names = tuple(sorted(headers))
    request = SignedRequest("GET", cloud.tasks, "limit=1&offset=0", headers)
    made = signature(request, names, secret_key)
    parts = f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={';'.join(names)}, Signature={made}"
    return {**headers, "Authorization": parts}


async def test_access_keys_open_the_project() -> None:
    """A good signature is as good as a token; a bad one is the gateway's 401."""
    cloud = _cloud()
    good = _signed(cloud, ACCOUNT.access_key, ACCOUNT.secret_key)
    response = await cloud.client.get(f"{cloud.tasks}?offset=0&limit=1", headers=good)
    assert response.status_code == 200
    bad = await cloud.client.get(f"{cloud.tasks}?offset=0&limit=2", headers=good)
    assert (bad.status_code, bad.json()["error_code"]) == (401, "APIGW.0301")
    assert "verify aksk signature fail" in bad.json()["error_msg"]
    cloud.wall += 901
    late = await cloud.client.get(f"{cloud.tasks}?offset=0&limit=1", headers=good)
    assert (late.status_code, "too far" in late.json()["error_msg"]) == (401, True)


async def test_access_keys_open_no_unknown_project() -> None:
    """The signature is good, the project is not the account's."""
    cloud = _cloud()
    headers = {"host": "simulator", "x-sdk-date": "20250615T000000Z"}
    request = SignedRequest("GET", "/v2/other/scheduled-tasks", "", headers)
    made = signature(request, ("host", "x-sdk-date"), ACCOUNT.secret_key)
    parts = f"SDK-HMAC-SHA256 Access={ACCOUNT.access_key}, SignedHeaders=host;x-sdk-date, Signature={made}"
    response = await cloud.client.get(
        "/v2/other/scheduled-tasks", headers={**headers, "Authorization": parts}
    )
    assert (response.status_code, response.json()["error_code"]) == (403, "APIGW.0302")


async def _temporary(cloud: Cloud, **headers: str) -> dict[str, str]:
    response = await cloud.client.get("/openstack/latest/securitykey", headers=headers)
    assert response.status_code == 200
    credential = response.json()["credential"]
    assert isinstance(credential, dict)
    return credential


async def test_the_metadata_service_with_tokens() -> None:
    """A token first (PUT), then the keys; these sign requests until they end."""
    cloud = _cloud(Options(key_lifetime=600.0))
    assert (await cloud.get("/openstack/latest/securitykey")).status_code == 401
    ttl = {"X-Metadata-Token-Ttl-Seconds": "60"}
    token = (await cloud.client.put("/meta-data/latest/api/token", headers=ttl)).text
    keys = await _temporary(cloud, **{"X-Metadata-Token": token})
    assert keys["expires_at"] == "2025-06-15T00:10:00.000000Z"
    signed = _signed(cloud, keys["access"], keys["secret"], **{"x-security-token": keys["securitytoken"]})
    response = await cloud.client.get(f"{cloud.tasks}?offset=0&limit=1", headers=signed)
    assert response.status_code == 200
    cloud.wall = NOW + 60.0
    lapsed = await cloud.client.get("/openstack/latest/securitykey", headers={"X-Metadata-Token": token})
    assert lapsed.status_code == 401
    cloud.wall = NOW + 600.0
    assert (await cloud.client.get(f"{cloud.tasks}?offset=0&limit=1", headers=signed)).status_code == 401


@pytest.mark.parametrize("ttl", ["0", "21601", "soon", "-5"])
async def test_a_metadata_token_has_a_bounded_life(ttl: str) -> None:
    """Up to six hours."""
    headers = {"X-Metadata-Token-Ttl-Seconds": ttl}
    assert (await _cloud().client.put("/meta-data/latest/api/token", headers=headers)).status_code == 400


async def test_the_older_metadata_service_has_no_tokens() -> None:
    """PUT is 404, the keys are for everybody; switched off there is nothing."""
    plain = _cloud(Options(metadata="plain"))
    assert (await plain.client.put("/meta-data/latest/api/token")).status_code == 404
    assert (await _temporary(plain))["access"].startswith("TEMP")
    off = _cloud(Options(metadata="off"))
    assert (await off.get("/openstack/latest/securitykey")).status_code == 404
