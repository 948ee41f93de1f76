"""What works with an upstream, before the first person finds out: its documents, its keys, and whether it knows us."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode

from idp.kernel import jose, sealing

from . import documents, reach
from .documents import Metadata
from .reach import Unreachable
from .upstreams import Upstream


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `detail` holds addresses and words of ours, never a secret."""

    what: str
    good: bool
    detail: str

    @property
    def line(self) -> str:
        return f"{'ok  ' if self.good else 'FAIL'} {self.what}: {self.detail}"

    def described(self) -> dict[str, Any]:
        return asdict(self)


def run(upstream: Upstream) -> list[Finding]:
    """Every check, in order; those after a failure that they need are left out."""
    findings = [_enabled(upstream)]
    try:
        with reach.in_time():
            metadata = documents.metadata(upstream)
    except Unreachable as error:
        return [*findings, Finding("discovery", False, f"{upstream.issuer}: {error}")]
    findings.append(Finding("discovery", True, upstream.issuer))
    findings += [_keys(upstream), _client(upstream, metadata)]
    if upstream.options.logout:
        there = bool(metadata.end_session_endpoint)
        findings.append(Finding("sign-out there", there, metadata.end_session_endpoint or "it publishes no end_session_endpoint"))
    findings.append(Finding("redirect URI to register there", True, upstream.callback))
    return findings


def _enabled(upstream: Upstream) -> Finding:
    return Finding("switched on", upstream.enabled, "people can use it" if upstream.enabled else "nobody can use it")


def _keys(upstream: Upstream) -> Finding:
    try:
        with reach.in_time():
            found = documents.with_keys(upstream, lambda keys: keys)
            usable = [key for key in found if key.get("use", "sig") == "sig"]
    except (Unreachable, jose.TokenRefused) as error:
        return Finding("keys", False, str(error))
    return Finding("keys", bool(usable), f"{len(usable)} for signatures")


def _client(upstream: Upstream, metadata: Metadata) -> Finding:
    """Redeem a code that nobody gave: invalid_grant says that it knows us and our secret, invalid_client that it does not (RFC 6749 5.2)."""
    form = {"grant_type": "authorization_code", "code": "kairos-test", "redirect_uri": upstream.callback, "code_verifier": "x" * 43}
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    method = upstream.options.auth_method
    try:
        secret = upstream.secret
    except sealing.SealBroken:
        return Finding("client", False, "the stored secret cannot be opened: give it again")
    if secret and metadata.secret_in_header(method):
        pair = f"{quote(upstream.client_id, safe='')}:{quote(secret, safe='')}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form |= {"client_id": upstream.client_id} | ({"client_secret": secret} if secret else {})
    try:
        with reach.in_time():
            answer = reach.fetch(metadata.token_endpoint, method="POST", headers=headers, content=urlencode(form).encode())
        found = json.loads(answer.body)
        error = found.get("error") if isinstance(found, dict) else None
    except (Unreachable, ValueError, RecursionError):
        return Finding("client", False, "the token endpoint does not answer as RFC 6749 5.2 says")
    if error == "invalid_grant":
        return Finding("client", True, "client id and secret are accepted")
    known = {"invalid_client": "client id or secret is wrong", "unauthorized_client": "the client may not use codes"}
    known["redirect_uri_mismatch"] = "the redirect URI is not registered there"
    return Finding("client", False, known.get(str(error), f"the token endpoint answered {answer.status}"))
