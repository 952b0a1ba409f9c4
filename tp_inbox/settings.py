"""Typed settings: the only reader of the environment."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SECOND, MINUTE, HOUR, DAY = 1, 60, 3_600, 86_400
KEY_CHARACTERS = 32
GOOGLE = "https://accounts.google.com"
MICROSOFT = "https://login.microsoftonline.com/{tenant}/v2.0"
TENANT = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


NO_DATABASE = "DATABASE_URL: is not set. Give the address of a PostgreSQL 15 or newer, or try the product: make run"
NO_KEY = "SECRET_KEY: is not set, and single sign-on needs it. Make one with: openssl rand -hex 32"
NOT_POSTGRESQL = "DATABASE_URL: must begin with postgresql://"


class IdentityProvider(NamedTuple):
    """Who may vouch for staff, by OpenID Connect. ``key`` stands in addresses, ``name`` on the button."""

    key: Literal["google", "microsoft", "oidc"]
    name: str
    issuer: str
    client_id: str
    client_secret: str


class Settings(BaseSettings):
    """One value a variable of the same name in capitals; an empty variable counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=1, le=65535)
    simulator_port: int = Field(default=3010, ge=1, le=65535)
    data_dir: Path = Path("data")
    database_url: str = ""
    public_url: str = ""
    twilio_account_sid: str = ""
    twilio_auth_token: SecretStr = SecretStr("")
    twilio_base_url: str = ""
    country: str = Field(default="US", pattern="^[A-Z]{2}$")
    personal_number_cap: int = Field(default=500, ge=0, description="personal numbers the district will pay for")
    numbers_per_campaign: int = Field(default=49, ge=1, description="what carriers take without asking")
    pool_per_campaign: int = Field(default=5, ge=0, description="shared numbers, once no more personal ones are bought")
    monthly_spending_cap: float | None = Field(default=None, ge=0, description="dollars a month for numbers")
    number_price: float = Field(default=1.15, ge=0, description="dollars a month, as Twilio's bill says")
    segment_price: float = Field(default=0.0083, ge=0, description="dollars, with what carriers add")
    sender_segments_per_second: float = Field(default=1.0, gt=0, description="of one number")
    campaign_segments_per_second: float = Field(default=12.0, gt=0, description="of a Messaging Service")
    account_segments_per_second: float = Field(default=225.0, gt=0)
    look_after_seconds: int = Field(default=MINUTE, ge=1, description="before a doubtful text is looked up")
    spool_dir: Path | None = Field(default=None, description="where webhooks wait while the database is away")
    metrics_token: SecretStr = Field(default=SecretStr(""), description="opens /metrics to who is not on this machine")
    log_format: Literal["text", "json"] = "text"
    session_idle_seconds: int = Field(default=12 * HOUR, ge=MINUTE)
    session_absolute_seconds: int = Field(default=14 * DAY, ge=MINUTE)
    poll_seconds: int = Field(default=20, ge=1)
    web_workers: int = Field(default=1, ge=1, description="processes of `tp-inbox serve`")
    log_level: str = Field(default="INFO", pattern="(?i)^(debug|info|warning|error|critical)$")
    secret_key: SecretStr = Field(default=SecretStr(""), description="several with commas between; the first closes")
    google_client_id: str = ""
    google_client_secret: SecretStr = SecretStr("")
    microsoft_tenant: str = Field(default="", pattern=f"(?i)^$|{TENANT}")
    microsoft_client_id: str = ""
    microsoft_client_secret: SecretStr = SecretStr("")
    oidc_name: str = Field(default="single sign-on", max_length=40)
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    trusted_proxy_hops: int | None = Field(default=None, ge=0, description="proxies of ours between a browser and us")

    @field_validator("twilio_base_url", "public_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _ports_differ(self) -> Settings:
        if self.port == self.simulator_port:
            raise ValueError("PORT and SIMULATOR_PORT must differ")
        return self

    @field_validator("secret_key")
    @classmethod
    def _keys_are_long(cls, value: SecretStr) -> SecretStr:
        if any(len(key) < KEY_CHARACTERS for key in _keys(value)):
            raise ValueError(
                f"each key must have at least {KEY_CHARACTERS} characters; make one with: openssl rand -hex 32"
            )
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError("must begin with https://")
        return value

    @model_validator(mode="after")
    def _sign_in_is_whole(self) -> Settings:
        for prefix, others in SIGN_IN.items():
            names = [f"{prefix}_{name}" for name in (*others, "client_id", "client_secret")]
            missing = [name.upper() for name in names if not _plain(getattr(self, name))]
            if 0 < len(missing) < len(names):
                raise ValueError(f"{missing[0]}: is not set, and single sign-on needs it beside {names[-2].upper()}")
        return self

    @property
    def spool(self) -> Path:
        """A folder of this machine's, shared by its web processes."""
        return self.spool_dir or self.data_dir / "spool"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Close and open what is secret; the first closes."""
        return _keys(self.secret_key)

    @property
    def identity_providers(self) -> tuple[IdentityProvider, ...]:
        """Those that are set up, in the order of their buttons."""
        microsoft = MICROSOFT.format(tenant=self.microsoft_tenant.lower())
        every = (
            IdentityProvider("google", "Google", GOOGLE, self.google_client_id, _plain(self.google_client_secret)),
            IdentityProvider(
                "microsoft", "Microsoft", microsoft, self.microsoft_client_id, _plain(self.microsoft_client_secret)
            ),
            IdentityProvider(
                "oidc", self.oidc_name, self.oidc_issuer, self.oidc_client_id, _plain(self.oidc_client_secret)
            ),
        )
        return tuple(provider for provider in every if provider.client_id)

    @property
    def database(self) -> str:
        """The database's address as libpq writes it, sslmode and all. Raises BadSettings."""
        if not self.database_url:
            raise BadSettings(NO_DATABASE)
        scheme, separator, rest = self.database_url.partition("://")
        if scheme.split("+")[0] not in {"postgresql", "postgres"} or not separator:
            raise BadSettings(NOT_POSTGRESQL)
        return f"postgresql://{rest}"

    def require_account(self) -> None:
        """Raises BadSettings when the carrier could only refuse us, which would stop every number of ours.

        A simulator takes whatever account it was started with.
        """
        shape = ".+" if self.carrier_is_loopback else "AC[0-9a-f]{32}"
        if not re.fullmatch(shape, self.twilio_account_sid):
            raise BadSettings("TWILIO_ACCOUNT_SID: must be AC and 32 characters from 0 to 9 and a to f")
        if not self.twilio_auth_token.get_secret_value():
            raise BadSettings("TWILIO_AUTH_TOKEN: is not set")

    def require_key_for_providers(self) -> None:
        """Raises BadSettings when what a browser carries to a provider and back could not be closed."""
        if self.identity_providers and not self.secret_keys:
            raise BadSettings(NO_KEY)

    @property
    def address(self) -> str:
        """Where the world reaches us, without a slash at the end; webhooks and links are built from it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def behind_tls(self) -> bool:
        return self.address.startswith("https://")

    @property
    def proxy_hops(self) -> int:
        """How many of our proxies a request passes. We speak no TLS, so there is one when our address does."""
        return int(self.behind_tls) if self.trusted_proxy_hops is None else self.trusted_proxy_hops

    @property
    def carrier_is_loopback(self) -> bool:
        """True only for a simulator on this machine; no base URL means Twilio itself."""
        return (urlsplit(self.twilio_base_url).hostname or "") in LOOPBACK


SIGN_IN = {"google": (), "microsoft": ("tenant",), "oidc": ("issuer",)}
"""What a provider needs beside an id and a secret for us."""


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _keys(value: SecretStr) -> tuple[str, ...]:
    return tuple(key.strip() for key in value.get_secret_value().split(",") if key.strip())


class BadSettings(Exception):
    """Said once, at the start, in a sentence a line."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        raise BadSettings("\n".join(map(_sentence, error.errors()))) from None


SENTENCES = {
    "int_parsing": "must be a whole number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "must be one of the values that the README names",
}


def _sentence(wrong: Any) -> str:
    """One setting and what is wrong with it, in our own words."""
    name = ".".join(map(str, wrong["loc"])).upper()
    ours = SENTENCES.get(wrong["type"])
    said = ours.format(**wrong.get("ctx", {})) if ours else wrong["msg"].removeprefix("Value error, ")
    return f"{name}: {said}" if name else said
