"""The settings tree: every `IDP_*` variable, once, with its type, default and one sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from idp.kernel import colours

ROOT = Path(__file__).resolve().parent.parent.parent

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Environment(BaseSettings):
    """Read from the process environment and an optional `.env` file; immutable afterwards."""

    model_config = SettingsConfigDict(
        env_prefix="IDP_",
        env_file=os.environ.get("IDP_ENV_FILE", str(ROOT / ".env")),
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )
    # Django's lazy settings ask every value for this name; without it each `settings.IDP` would run through pydantic's search.
    _mask_wrapped: ClassVar[bool] = True

    env: Literal["development", "production"] = Field(
        "production", description="`production` refuses weak settings; `development` adds the playground and the mail inbox."
    )
    issuer: str = Field(
        "", description="Public origin of this provider, for example `https://id.example.org`. Every link and token is made from it."
    )
    secret_key: SecretStr = Field(SecretStr(""), description="Signs cookies and links. At least 50 random characters.")
    secret_key_fallbacks: CommaSeparated = Field(
        (), description="Former values of `IDP_SECRET_KEY` that are still accepted while they age out."
    )
    sealing_keys: SecretStr = Field(
        SecretStr(""),
        description="Encrypt secrets at rest: `id:base64url(32 bytes)`, comma-separated; the first one seals, all of them open.",
    )
    database_url: SecretStr = Field(
        SecretStr(""), description="`postgresql://user:password@host:5432/name`; empty = SQLite in `IDP_DATA_DIR`."
    )
    database_pool_size: int = Field(
        8, ge=1, le=200, description="Threads of one web process; each keeps a PostgreSQL connection of its own."
    )
    redis_url: SecretStr = Field(
        SecretStr(""), description="`redis://host:6379/0`; empty = embedded: cache and Celery broker inside the process."
    )
    email_url: SecretStr = Field(
        SecretStr(""),
        description="`smtp://`, `smtp+tls://` (STARTTLS) or `smtps://` `user:password@host:port`; `inbox:` = development inbox page.",
    )
    sms_url: SecretStr = Field(
        SecretStr(""),
        description="Where text messages go: `https://user:password@host/path` (Basic) or `https://:token@host/path` (Bearer), `inbox:` = "
        "development inbox page, empty = there are none. See [text-messages.md](text-messages.md).",
    )
    sms_format: Literal["json", "form"] = Field("json", description="How the gateway reads a message: a JSON object or an HTML form.")
    sms_fields: str = Field(
        '{"to": "$to", "text": "$text"}',
        description="JSON object of what is sent to the gateway; `$to`, `$text` and `$id` are filled in.",
    )
    sms_prefixes: CommaSeparated = Field(
        (), description="Beginnings of the numbers that may get text messages, for example `+49,+43`; empty = all."
    )
    sms_per_hour: int = Field(1000, ge=1, description="Most text messages of the installation in an hour.")
    sms_per_prefix_per_hour: int = Field(
        200, ge=1, description="Most text messages in an hour to numbers that share their first four digits."
    )
    sms_per_person_per_hour: int = Field(6, ge=1, description="Most text messages in an hour to one number, and asked for by one person.")
    phone_region: str = Field(
        "", pattern=r"^([A-Z]{2})?$", description="Country (ISO 3166, for example `DE`) whose numbers may be typed without country code."
    )
    email_from: str = Field("Kairos ID <no-reply@localhost>", description="From address of every mail.")
    agent_url: str = Field(
        "",
        description="Address of the Agent, the service that is told when an account changes ([deliveries.md](deliveries.md)); empty = none. "
        "A private address must be in `IDP_OUTBOUND_ALLOW`.",
    )
    agent_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs calls to the Agent (Standard Webhooks): `whsec_` and base64; two with a comma while it is replaced.",
    )
    agent_fields: CommaSeparated = Field(
        ("username", "allergies", "preferences"),
        description="What the Agent is told: `username`, `email`, and names of profile attributes.",
    )
    data_dir: Path = Field(
        ROOT / ".data", description="Everything that the embedded default writes: database, inbox, generated development secrets."
    )
    static_dir: Path = Field(
        ROOT / "staticfiles", description="Where `manage.py collectstatic` puts the pages' styles and scripts in production."
    )
    outbound_allow: CommaSeparated = Field((), description="`host`, `host:port` or CIDR that outbound requests may reach although private.")
    outbound_ca_file: Path | None = Field(None, description="Extra certificate authorities (PEM) for outbound requests.")
    trusted_proxies: CommaSeparated = Field(
        (), description="Addresses or CIDRs of reverse proxies whose `X-Forwarded-For` and `-Proto` are believed."
    )
    brand_name: str = Field("Kairos ID", description="Name shown on pages and in mails.")
    brand_colour: str = Field("#3d4fd1", description="Colour of links and buttons, #rrggbb; one that cannot be read is refused.")
    brand_radius: int = Field(10, ge=0, le=24, description="Roundness of corners, in pixels.")
    brand_logo_file: Path | None = Field(None, description="Picture beside the name: SVG, PNG, JPEG or WebP of at most 100 KB.")
    privacy_url: str = Field("", description="Address of your privacy notice, linked in the footer.")
    terms_url: str = Field("", description="Address of your terms, linked in the footer.")
    help_url: str = Field("", description="Address of your help page, linked in the footer.")
    profile_schema_file: Path | None = Field(
        None, description="JSON file that adds, changes or removes profile attributes (docs/profile.md)."
    )
    deletion_grace_days: int = Field(
        14, ge=0, le=60, description="For so many days somebody who asked to be deleted can come back; then everything is erased."
    )
    geoip_file: Path | None = Field(
        None, description="MaxMind DB file (GeoLite2 City or alike) that tells the place of an address; empty: pages show addresses only."
    )
    google_client_id: str = Field("", description="Client id that Google gave you; set, people can sign in with Google.")
    google_client_secret: SecretStr = Field(SecretStr(""), description="Client secret that belongs to `IDP_GOOGLE_CLIENT_ID`.")
    google_issuer: str = Field(
        "https://accounts.google.com", description="Where Google's discovery document is; another address for tests of your own."
    )
    google_audiences: CommaSeparated = Field(
        (), description="Further client ids at Google, of mobile apps, whose ID tokens may be posted to this provider."
    )
    signup: Literal["open", "invitation", "closed"] = Field(
        "open", description="Who may create an account: everybody, holders of an invitation (`manage.py invitation create`), or nobody."
    )
    signup_with: Literal["email", "phone", "either"] = Field(
        "email", description="What a new account is known by. `phone` and `either` need `IDP_SMS_URL`."
    )
    unverified_days: int = Field(
        7, ge=1, le=365, description="An account that somebody made and never verified is removed after so many days."
    )
    terms_version: str = Field(
        "",
        max_length=40,
        description="Version of your terms, for example `2026-11`: people accept it when they sign up, and again after it changed. Empty = never.",
    )
    sign_in_page: Literal["one", "identifier_first"] = Field(
        "one", description="Identifier and password on one page, or the identifier first and then how to sign in."
    )
    sign_in_methods: CommaSeparated = Field(
        ("password", "email_code"),
        description="Ways to sign in: `password`, `email_code` (a code by mail), `magic_link` (a link by mail), `sms_code` (a code by text message).",
    )
    staff_second_step: Literal["", "required", "optional"] = Field(
        "",
        description="Whether the staff console wants a second step; production always does, development only with `required`.",
    )
    min_acr: Literal["", "urn:kairos:acr:mfa", "phr", "phrh"] = Field(
        "", description="Weakest `acr` with which anybody may sign in; empty = the password is enough, unless a group or an app wants more."
    )
    enrolment_grace_days: int = Field(
        7, ge=0, le=90, description='For so many days somebody who must set up a second step may answer "not now"; apps wait for nobody.'
    )
    trusted_browser_days: int = Field(
        30, ge=0, le=90, description="How long people may spare themselves the second step in a browser of their own, in days; 0 = never."
    )
    sms_codes: bool = Field(False, description="Whether a code by text message may be somebody's second step; it is the weakest one.")
    confirm_new_browser: bool = Field(
        False, description="Whether people without a second step confirm their first sign-in in a browser with a code by mail."
    )
    reset_needs_approval: bool = Field(
        False, description="Whether a second member of staff must approve before anybody's second step is reset."
    )
    lost_factor_hours: int = Field(
        0,
        ge=0,
        le=720,
        description="Who lost their second step may remove it with password and mailbox after so many hours, 24 or more; 0 = only staff can help.",
    )
    passkey_rp_id: str = Field(
        "", description="Domain that passkeys belong to (RP ID); empty: the issuer's host. When it changes, every passkey is lost."
    )
    passkey_origins: CommaSeparated = Field(
        (), description="Further origins whose pages may use the same passkeys (related origins), published at `/.well-known/webauthn`."
    )
    passkey_attestation: Literal["none", "preferred", "required"] = Field(
        "none", description="Whether a new passkey must prove its make by `IDP_PASSKEY_METADATA_FILE`; `none` does not ask for it."
    )
    passkey_metadata_file: Path | None = Field(
        None,
        description="FIDO Metadata Service file (MDS 3 BLOB) with the makes of authenticators that are trusted; read again when it changes.",
    )
    registration: Literal["closed", "token", "open"] = Field(
        "closed", description="Who may register clients by RFC 7591: nobody, holders of an initial access token, or everybody."
    )
    pkce_optional: bool = Field(
        False, description="Development only: public clients of profile `oidc` may leave PKCE out, as the conformance suite does."
    )
    registration_profile: Literal["oidc", "oauth21"] = Field("oauth21", description="Profile of clients that register themselves.")
    registration_per_hour: int = Field(20, ge=1, description="Most registrations per address and hour where everybody may register.")
    software_statement_jwks_file: Path | None = Field(None, description="Keys (JSON Web Key Set) of trusted software statement issuers.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    access_token_seconds: int = Field(
        300, ge=30, le=3600, description="Life of an access token, in seconds, unless the client sets its own."
    )
    id_token_seconds: int = Field(300, ge=30, le=86400, description="Life of an ID token, in seconds.")
    code_seconds: int = Field(
        60, ge=10, le=600, description="Life of an authorization code, in seconds (RFC 6749 4.1.2 advises at most 600)."
    )
    refresh_token_idle_seconds: int = Field(30 * 86400, ge=60, description="A refresh token family dies when unused for so many seconds.")
    refresh_token_absolute_seconds: int = Field(180 * 86400, ge=60, description="A refresh token family dies at this age, in seconds.")
    refresh_token_overlap_seconds: int = Field(
        10, ge=0, le=60, description="For so long a rotated refresh token still returns the same successor (parallel tabs, lost answers)."
    )
    session_idle_seconds: int = Field(14 * 86400, ge=60, description="A browser session ends when unused for so many seconds.")
    session_absolute_seconds: int = Field(30 * 86400, ge=60, description="A browser session ends at this age, in seconds.")
    interaction_seconds: int = Field(
        3600, ge=60, description="How long a paused sign-in may wait for the person before it restarts, in seconds."
    )
    key_rotation_days: int = Field(90, ge=1, description="Signing keys are replaced after so many days.")
    key_publish_seconds: int = Field(3600, ge=0, description="A new signing key is published for so many seconds before it signs.")
    jwks_cache_seconds: int = Field(900, ge=0, description="How long relying parties may cache the key set.")
    password_min_length_with_second_factor: int = Field(
        15, ge=8, le=15, description="Fewest characters of a password for people who have a second factor; 15 for everybody else."
    )
    breached_passwords_file: Path | None = Field(
        None, description="File of breached passwords that nobody may choose, made by `manage.py breached_passwords build`."
    )
    firebase_scrypt: SecretStr = Field(
        SecretStr(""),
        description="Hash parameters of the Firebase project that people were imported from: `signer_key=…,salt_separator=…,rounds=8,mem_cost=14`.",
    )
    argon2_memory_kib: int = Field(47104, ge=7168, description="Argon2id memory, in KiB.")
    argon2_iterations: int = Field(1, ge=1, description="Argon2id passes; OWASP's first choice is one over 46 MiB.")
    argon2_parallel_hashes: int = Field(2, ge=1, description="Most passwords that one process hashes at the same time.")

    @field_validator("brand_colour")
    @classmethod
    def _colour_can_be_read(cls, value: str) -> str:
        return colours.checked(value)

    @field_validator(
        "agent_fields",
        "secret_key_fallbacks",
        "outbound_allow",
        "trusted_proxies",
        "sms_prefixes",
        "sign_in_methods",
        "passkey_origins",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("issuer", "google_issuer", "agent_url")
    @classmethod
    def _issuer_has_no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def development(self) -> bool:
        return self.env == "development"

    @property
    def staff_needs_second_step(self) -> bool:
        """Whether the password alone does not open the staff console."""
        return not self.development or self.staff_second_step == "required"

    @property
    def embedded(self) -> bool:
        """One process with its own worker: no Redis is configured."""
        return not self.redis_url.get_secret_value()

    @property
    def issuer_host(self) -> str:
        return urlsplit(self.issuer).hostname or ""
