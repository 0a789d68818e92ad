"""How a project signs in: the sections under `auth` (contract, section 3)."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import ConfigDict, Field, model_validator

from exporter.secrets import Secret
from exporter.section import (
    Address,
    FilePath,
    OrEmpty,
    SecretText,
    Section,
    Text,
    at,
    given,
    secret_given,
    secret_once,
)
from exporter.urls import check_endpoint

_SAME_IN_FILE: Final = "The file that holds it."


class TokenAuth(Section):
    """A ready X-Auth-Token."""

    model_config = ConfigDict(json_schema_extra=secret_given("token"))

    token: SecretText | None = Field(
        default=None,
        description="The value of `X-Auth-Token`, scoped to the project.",
        examples=["MIIE0QYJKo"],
    )
    token_file: FilePath | None = Field(default=None, description=_SAME_IN_FILE, examples=["token"])

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_secrets("token")
        return self

    @property
    def token_secret(self) -> Secret:
        """The token."""
        return self._secret("token") or Secret()


class PasswordAuth(Section):
    """An IAM user; the token is fetched and renewed."""

    model_config = ConfigDict(json_schema_extra=secret_given("password"))

    domain_name: Text = Field(description="The account that the user belongs to.", examples=["my-account"])
    user_name: Text = Field(description="The IAM user.", examples=["exporter"])
    password: SecretText | None = Field(
        default=None, description="The user's password.", examples=["correct horse"]
    )
    password_file: FilePath | None = Field(default=None, description=_SAME_IN_FILE, examples=["iam-password"])

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_secrets("password")
        return self

    @property
    def password_secret(self) -> Secret:
        """The user's password."""
        return self._secret("password") or Secret()


class AkskAuth(Section):
    """An access key pair, with a security token where it is temporary."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                secret_given("access_key"),
                secret_given("secret_key"),
                secret_once("security_token"),
            ]
        }
    )

    access_key: SecretText | None = Field(
        default=None, description="The access key id (AK).", examples=["QTWAOYTTINDUT2QVKYUC"]
    )
    access_key_file: FilePath | None = Field(default=None, description=_SAME_IN_FILE, examples=["ak"])
    secret_key: SecretText | None = Field(
        default=None, description="The secret access key (SK).", examples=["MFyfvK41ba2giqM7Uio6"]
    )
    secret_key_file: FilePath | None = Field(default=None, description=_SAME_IN_FILE, examples=["sk"])
    security_token: SecretText | None = Field(
        default=None,
        description="The token that belongs to temporary keys; permanent keys have none.",
        examples=["gQpjbi1ub3J0aC00"],
    )
    security_token_file: FilePath | None = Field(default=None, description=_SAME_IN_FILE, examples=["st"])

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_secrets("access_key", "secret_key", optional=["security_token"])
        return self

    @property
    def access_key_secret(self) -> Secret:
        """The access key id (AK)."""
        return self._secret("access_key") or Secret()

    @property
    def secret_key_secret(self) -> Secret:
        """The secret access key (SK)."""
        return self._secret("secret_key") or Secret()

    @property
    def security_token_secret(self) -> Secret | None:
        """The token that belongs to temporary keys."""
        return self._secret("security_token")


class MetadataAuth(Section):
    """Temporary keys of the ECS agency, from the metadata service."""

    endpoint: Address = Field(
        default="http://169.254.169.254",
        description="The metadata service. It is asked directly, never through a proxy.",
        examples=["http://192.0.2.1"],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        with at("endpoint"):
            check_endpoint(self.endpoint, allow_http=True)
        return self


_ONE_METHOD: Final[dict[str, Any]] = {
    "maxProperties": 1,
    "anyOf": [*(given(key) for key in ("token", "password", "aksk")), {"required": ["metadata"]}],
}


class Auth(Section):
    """Exactly one way to sign in."""

    model_config = ConfigDict(json_schema_extra=_ONE_METHOD)

    token: TokenAuth | None = Field(
        default=None,
        description="A ready token. It ends within a day, and nobody renews it but you.",
        examples=[{"token_file": "token"}],
    )
    password: PasswordAuth | None = Field(
        default=None,
        description="An IAM user with programmatic access. Tokens are fetched, renewed before they end, and "
        "once more when one is refused. A refused password is tried again after 15 minutes, "
        "since the account locks.",
        examples=[{"domain_name": "d", "user_name": "u", "password_file": "p"}],
    )
    aksk: AkskAuth | None = Field(
        default=None,
        description="A pair of access keys, with which each request is signed.",
        examples=[{"access_key": "ak", "secret_key_file": "sk"}],
    )
    metadata: OrEmpty[MetadataAuth | None] = Field(
        default=None,
        description="The temporary keys of the agency of the cloud server that the exporter runs on. Nothing"
        " needs to be set.",
        examples=[{}],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.model_fields_set) != 1 or self.method is None:
            raise ValueError("exactly one of token, password, aksk, metadata is needed")
        return self

    @property
    def method(self) -> TokenAuth | PasswordAuth | AkskAuth | MetadataAuth | None:
        """The one that was chosen."""
        return self.token or self.password or self.aksk or self.metadata
