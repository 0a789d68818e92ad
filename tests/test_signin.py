"""The section `auth`: one way to sign in, its secrets, and what it needs to know (contract, section 3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import AkskAuth
from exporter.errors import ConfigError
from exporter.secrets import Secret
from tests.config import FOLDER, parse, project, refused

ONE_EACH = {
    "token": "{token: {token: s}}",
    "password": "{password: {domain_name: d, user_name: u, password: s}}",
    "aksk": "{aksk: {access_key: a, secret_key: s}}",
    "metadata": "{metadata: {}}",
}


@pytest.mark.parametrize("one", ONE_EACH)
def test_exactly_one_way_to_sign_in(one: str) -> None:
    """One is good, two of whatever kind are not."""
    auth = project(ONE_EACH[one]).auth
    assert auth.method is getattr(auth, one)
    for other in ONE_EACH:
        if other != one:
            both = f"{ONE_EACH[one][:-1]}, {ONE_EACH[other][1:]}"
            with pytest.raises(ConfigError, match=r"\.auth: exactly one of token, password, aksk, metadata"):
                project(both)


@pytest.mark.parametrize(
    ("kind", "secret", "rest"),
    [
        ("token", "token", ""),
        ("password", "password", "domain_name: d, user_name: u, "),
        ("aksk", "access_key", "secret_key: x, "),
        ("aksk", "secret_key", "access_key: x, "),
        ("aksk", "security_token", "access_key: x, secret_key: x, "),
    ],
)
def test_each_secret_has_a_file_as_its_sibling(kind: str, secret: str, rest: str) -> None:
    """The value or the file, not both; the file's name is relative to the configuration's folder."""
    path = f"projects[0].auth.{kind}.{secret}"
    method = project(f"{{{kind}: {{{rest}{secret}: s}}}}").auth.method
    assert getattr(method, f"{secret}_secret") == Secret("s")
    for name, file in (("f", FOLDER / "f"), ("../f", FOLDER / "../f"), ("/run/f", Path("/run/f"))):
        method = project(f"{{{kind}: {{{rest}{secret}_file: {name}}}}}").auth.method
        assert getattr(method, f"{secret}_secret") == Secret(file=file)
    with pytest.raises(ConfigError) as caught:
        project(f"{{{kind}: {{{rest}{secret}: s, {secret}_file: f}}}}")
    assert str(caught.value) == f"{path}_file: {secret} is given too; keep one of the two"
    with pytest.raises(ConfigError) as caught:
        project(f"{{{kind}: {{{rest}{secret}: ' '}}}}")
    assert str(caught.value) == f"{path}: the value is empty"
    if secret == "security_token":
        method = project("{aksk: {access_key: x, secret_key: x}}").auth.method
        assert isinstance(method, AkskAuth)
        assert method.security_token_secret is None
        return
    with pytest.raises(ConfigError) as caught:
        project(f"{{{kind}: {{{rest}}}}}")
    assert str(caught.value) == f"{path}: a value is needed (or {secret}_file)"


@pytest.mark.parametrize(
    ("auth", "keys", "error"),
    [
        ("token", "region: r, project_id: a", None),
        ("token", "endpoint: 'https://h', project_id: a", None),
        ("token", "region: r", "project_id: a value is needed with a ready token"),
        ("password", "region: r", None),
        ("password", "project_id: a, endpoint: 'https://h', iam_endpoint: 'https://i'", None),
        ("password", "project_id: a", "region: a value is needed (or endpoint)"),
        (
            "password",
            "project_id: a, endpoint: 'https://h'",
            "region: a value is needed to sign in (or iam_endpoint)",
        ),
        (
            "password",
            "endpoint: 'https://h', iam_endpoint: 'https://i'",
            "region: a value is needed to look up the project (or project_id)",
        ),
        ("aksk", "region: r", None),
        ("aksk", "project_id: a, endpoint: 'https://h'", None),
        ("aksk", "endpoint: 'https://h'", "region: a value is needed to look up the project (or project_id)"),
        ("metadata", "region: r", None),
        ("metadata", "project_id: a, endpoint: 'https://h'", None),
        (
            "metadata",
            "endpoint: 'https://h'",
            "region: a value is needed to look up the project (or project_id)",
        ),
    ],
)
def test_what_each_way_to_sign_in_needs_to_know(auth: str, keys: str, error: str | None) -> None:
    """The project's id is optional where it can be learned, the region where the addresses are given."""
    text = f"projects: [{{name: p, {keys}, auth: {ONE_EACH[auth]}, discovery: {{}}}}]"
    if error is None:
        assert parse(text).projects[0].name == "p"
    else:
        assert refused(text) == f"projects[0].{error}"
