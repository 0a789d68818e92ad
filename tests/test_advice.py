"""Each error, as it really arises, and what a person is told of it."""

from __future__ import annotations

import json
import socket
import ssl

import httpx
import pytest

from exporter.advice import ACTIONS, Advice, advise, kind_of
from exporter.advicewords import WORDS
from exporter.decode import decode_tasks
from exporter.errors import (
    Answer,
    ApiError,
    BodyError,
    ConfigError,
    CredentialsError,
    ExporterError,
    StatusError,
    TransportError,
)
from exporter.failures import failure
from exporter.overview import view_error
from exporter.upstream.transporterrors import transport_error

NOW = 1_700_000_000.0
HEADERS = {"x-request-id": "req-1"}


def status(
    code: int, error_code: str = "", message: str = "", *, operation: str = "list_tasks", body: bytes = b""
) -> StatusError:
    """The error of an answer in the gateway's shape, or with this body."""
    said = json.dumps({"error_code": error_code, "error_msg": message}).encode()
    return failure(operation, code, HEADERS, body or said, NOW)


def iam(code: int, message: str) -> CredentialsError:
    """A sign-in by password that IAM refused."""
    body = json.dumps({"error": {"code": code, "message": message, "title": "Unauthorized"}}).encode()
    return refused(failure("create_token", code, HEADERS, body, NOW), "; not sent again for 15 minutes")


def refused(error: StatusError, hint: str = "") -> CredentialsError:
    """The refusal that the standing of the credentials makes of an error."""
    return CredentialsError(
        f"{error.reason}{hint}",
        label=error.label,
        operation=error.operation,
        answer=error.answer,
        retry_at=NOW + 60,
    )


def unauthorized(message: str, *, operation: str = "list_tasks", hint: str = "") -> CredentialsError:
    """A request whose signature or token the gateway refused."""
    return refused(status(401, "APIGW.0301", message, operation=operation), hint)


def on_the_way(error: Exception, operation: str = "list_tasks") -> TransportError:
    """The error of a connection that failed like this."""
    raised = httpx.ConnectError("as httpx says")
    raised.__cause__ = error
    return transport_error(raised, operation)


def tls(message: str) -> TransportError:
    """A certificate that OpenSSL did not like, for this reason."""
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_message = message
    return on_the_way(error)


def body(data: bytes) -> BodyError:
    """The error of a list that is not what it should be."""
    with pytest.raises(BodyError) as caught:
        decode_tasks(data)
    return caught.value


_INCORRECT = "Incorrect IAM authentication information"
CASES: list[tuple[str, ExporterError]] = [
    ("dns", on_the_way(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))),
    ("connect", on_the_way(ConnectionRefusedError(111, "Connection refused"))),
    ("timeout", TransportError("no complete answer within 10 s", label="timeout", operation="list_records")),
    ("proxy", transport_error(httpx.ProxyError("407 Proxy Authentication Required"), "list_tasks")),
    ("proxy", TransportError("proxy_url: not a URL", label="proxy")),
    ("protocol", transport_error(httpx.RemoteProtocolError("bad status line"), "list_tasks")),
    ("read", transport_error(httpx.ReadError("reset"), "list_tasks")),
    ("metadata", on_the_way(OSError(113, "No route to host"), "metadata")),
    ("metadata", TransportError("no complete answer within 3 s", label="timeout", operation="metadata")),
    ("ca_file", TransportError("ca_file: /etc/x.pem: No such file or directory", label="tls")),
    ("ca_file", TransportError("ca_file: /x: holds no certificate in PEM form", label="tls")),
    ("tls_authority", tls("unable to get local issuer certificate")),
    ("tls_authority", tls("self-signed certificate in certificate chain")),
    ("tls_authority", tls("self signed certificate")),
    ("tls_name", tls("Hostname mismatch, certificate is not valid for 'workspace.example'.")),
    ("tls_name", tls("IP address mismatch, certificate is not valid for '10.0.0.1'.")),
    ("tls_date", tls("certificate has expired")),
    ("tls_date", tls("certificate is not yet valid")),
    ("tls", on_the_way(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"))),
    ("html", body(b"<html><title>Sign in to the guest network</title>")),
    ("body", body(b'{"scheduled_tasks": "none", "total_count": 0}')),
    ("body", body(b"\xff")),
    ("project", BodyError("the token is not scoped to a project", label="body", operation="create_token")),
    ("address", status(404, "APIGW.0101", "The API does not exist or has not been published")),
    ("address", status(404, "APIG.0103", "no backend")),
    ("address", status(404, body=b"<html>Not Found</html>")),
    ("disabled_service", status(400, "WKS.00010099", "Workspace service is disabled")),
    ("tenant", status(400, "WKS.00170312", "The tenant does not exist")),
    ("scope", status(403, "APIGW.0302", "The token's scope is another project")),
    ("scope", status(403, "APIGW.0302", "The user has no such project")),
    ("forbidden", status(403, "APIGW.0302", "user not allowed")),
    ("forbidden", status(403, "WKS.00010403", "You are not authorized", operation="list_records")),
    ("throttled", status(429, "APIGW.0308", "policy user over ratelimit", operation="list_records")),
    ("throttled", status(429)),
    ("task", status(400, "WKS.0001", "The scheduled task does not exist", operation="list_records")),
    ("task", status(404, operation="show_task")),
    ("details", status(404, "WKS.1", "The execution record does not exist", operation="list_record_details")),
    ("redirect", status(302)),
    ("too_large", status(494, "APIGW.0201", "Request headers too large")),
    ("backend", status(502, "APIGW.0201", "Backend unavailable")),
    ("backend", status(504, body=b"<html>504 Gateway Time-out</html>")),
    ("server", status(500, "WKS.0002", "Internal error")),
    ("refused", status(400, "WKS.00010001", "The request parameter is invalid.")),
    ("secret", CredentialsError("password: /run/secrets/p: No such file or directory")),
    ("agency", unauthorized("Please configure Cloud Service Agency first", operation="metadata")),
    ("key_locked", unauthorized("AK access failed to reach the limit,forbidden.")),
    ("clock", unauthorized("verify aksk signature fail", hint="; this host's clock is 1200 s behind")),
    (
        "clock",
        unauthorized("signature expired, signature time:20191115T033655Z, server time:20191115T055655Z"),
    ),
    ("password", iam(401, "The username or password is wrong.")),
    ("account_locked", iam(401, "The account has been locked, please try again after 15 minutes")),
    ("no_project", iam(401, "The user has no such project.")),
    ("no_project", iam(400, "Scope is invalid")),
    ("sign_in_forbidden", iam(403, "You have no right to do this action.")),
    ("token_ended", unauthorized(f"{_INCORRECT}: token expires, expires_at: 2020-01-04T09:05:22Z")),
    ("token_ended", unauthorized(f"{_INCORRECT}: decrypt token fail")),
    ("token_ended", unauthorized("The token must be updated")),
    ("keys", unauthorized(f"{_INCORRECT}: verify aksk signature fail")),
    ("keys", unauthorized(f"{_INCORRECT}: the AK does not exist", operation="list_projects")),
    ("credentials", unauthorized("Something else")),
    (
        "project",
        ApiError("no project is named x: set project_id", label="project", operation="list_projects"),
    ),
    ("max_tasks", ApiError("the project has more than max_tasks (2) tasks", label="max_tasks")),
    ("internal", ApiError("internal error (KeyError)", label="internal")),
    ("command", ExporterError("http://127.0.0.1/-/ready: 503")),
    ("environment", ConfigError("the environment variable HW_AK is not set", key="projects[0].auth")),
    ("listen", ConfigError("cannot listen on :80: Permission denied", key="--web.listen-address")),
    ("file", ConfigError("cannot read /etc/c.yml: No such file or directory", source="/etc/c.yml")),
    ("file", ConfigError("/run/secrets/p is empty", key="projects[0].auth.password.password_file")),
    ("key", ConfigError("unknown key", key="polling.intervall", source="c.yml")),
    ("yaml", ConfigError("not YAML: line 3, column 2", source="c.yml")),
    ("configuration", ConfigError("at least 1 is expected", key="polling.history")),
]


@pytest.mark.parametrize(("kind", "error"), CASES, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(CASES)])
def test_each_error_is_told_from_the_others(kind: str, error: ExporterError) -> None:
    """What is said is filled in, fits the status page, and repeats what upstream said."""
    assert kind_of(error) == kind
    advice = advise(error)
    for words in (advice.cause, advice.next_step):
        assert len(words) <= 300
        assert words[0].isupper() or words[0] == "`"
        assert not {"{", "}"} & set(words)
    assert advice.sentence.endswith((".", "!", "?"))
    if isinstance(error, ApiError):
        said = (error.answer.message or error.reason).rstrip(".").lower()
        assert said in advice.sentence.lower()
    else:
        assert str(error) in advice.sentence


def test_every_entry_is_met_by_an_error() -> None:
    """Nothing stands in the table that no error leads to, and every error leads to something in it."""
    assert {kind for kind, _ in CASES} == set(WORDS)


@pytest.mark.parametrize(("operation", "action"), ACTIONS.items())
def test_a_missing_permission_is_named(operation: str, action: str) -> None:
    """Which action has to be allowed depends on the operation that was refused."""
    advice = advise(status(403, "WKS.00010403", "no", operation=operation))
    assert action in advice.sentence
    assert action in advice.next_step


def test_an_operation_that_needs_no_known_permission() -> None:
    """Where no document names the action, the operation is named."""
    assert "to call show_token" in advise(status(403, operation="show_token")).next_step


@pytest.mark.parametrize(
    ("operation", "key"),
    [("list_tasks", "`endpoint`"), ("create_token", "`iam_endpoint`"), ("list_projects", "`iam_endpoint`")],
)
def test_the_key_that_holds_the_wrong_address_is_named(operation: str, key: str) -> None:
    """IAM has an address of its own."""
    assert key in advise(TransportError("no connection", label="connect", operation=operation)).cause


def test_the_metadata_service_has_its_own_key() -> None:
    """Its address is part of `auth`."""
    error = on_the_way(ssl.SSLError(1, "[SSL] bad"), "metadata")
    assert "`auth.metadata.endpoint`" in advise(error).cause


def test_a_log_line_holds_cause_and_next_step() -> None:
    """One key for both."""
    assert Advice("It failed.", "It rains.", "Wait.").hint == "Likely cause: It rains. Next step: Wait."


def test_the_status_page_says_the_same() -> None:
    """Its error has the whole technical text, and beside it the same cause and next step."""
    error = status(403, "WKS.00010403", "not allowed")
    view, advice = view_error(error), advise(error)
    assert (view.cause, view.next_step) == (advice.cause, advice.next_step)
    assert (view.code, view.request_id) == ("WKS.00010403", "req-1")


def test_an_answer_without_words_is_described() -> None:
    """An empty error answer leaves what was seen of it: its status."""
    error = StatusError("HTTP status 500", label="500", operation="list_tasks", answer=Answer(500))
    assert advise(error).sentence == "A fault inside the API: HTTP status 500."


def test_nothing_is_said_twice_in_one_sentence() -> None:
    """Where the reason begins with the same words, it says what happened."""
    error = TransportError("no connection: Connection refused", label="connect", operation="list_tasks")
    assert advise(error).sentence == "No connection: Connection refused."
