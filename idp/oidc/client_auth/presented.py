"""What a request says about its client, before anything is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Presented:
    """Credentials as they arrived: by which method, for which client_id, with which secret."""

    method: str
    client_id: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class BackChannelRequest:
    """A parsed form request to the token, introspection or revocation endpoint: the only thing that rooms see of HTTP."""

    endpoint: str
    form: Mapping[str, str]
    resources: tuple[str, ...]
    authorization: str | None
    origin: str | None
    ip: str
