"""What an app must check in the tokens it gets, one line each (OpenID Connect Core 3.1.3.7, RFC 9068 4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from idp.kernel import jose
from idp.kernel.clock import now

from .notebook import Check

_LEEWAY = 10  # seconds that two clocks may differ


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Header and claims of a JWT, unverified; None when it is not one."""
    try:
        header, claims, _ = token.split(".")
        decoded = json.loads(jose.b64decode(header)), json.loads(jose.b64decode(claims))
    except ValueError:
        return None
    return decoded if all(isinstance(part, dict) for part in decoded) else None


def readable(token: str) -> str:
    """Header and claims as indented JSON; the token itself when it is opaque."""
    decoded = parts(token)
    if decoded is None:
        return f"{token}\n\n(opaque: only the provider can read it)"
    return "\n".join(json.dumps(part, indent=2, ensure_ascii=False) for part in decoded)


def subject_of(token: str) -> str:
    """The `sub` of a JWT, unverified; empty when there is none."""
    decoded = parts(token)
    return str(decoded[1].get("sub", "")) if decoded else ""


def check_id_token(
    token: str,
    *,
    jwks: Mapping[str, Any],
    issuer: str,
    client_id: str,
    nonce: str | None,
    access_token: str = "",
    max_age: int | None = None,
    subject: str = "",
) -> list[Check]:
    """Every check of OpenID Connect Core 3.1.3.7; `nonce` None (and `subject` given) after a refresh (12.2)."""
    decoded = parts(token)
    if decoded is None:
        return [Check(False, "is a JWT")]
    header, claims = decoded
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    checks = [
        _signature(token, header, jwks),
        Check(claims.get("iss") == issuer, "iss is the provider", str(claims.get("iss"))),
        Check(client_id in audiences and (len(audiences) == 1 or claims.get("azp") == client_id), "aud is this app", str(audience)),
        *_times(claims),
    ]
    if nonce is not None:
        checks.append(Check(claims.get("nonce") == nonce, "nonce is the one that was sent", str(claims.get("nonce"))))
    if subject:
        checks.append(Check(claims.get("sub") == subject, "sub is the same person as before", str(claims.get("sub"))))
    if access_token and "at_hash" in claims:
        expected = jose.left_half_hash(access_token, str(header.get("alg")))
        checks.append(Check(claims["at_hash"] == expected, "at_hash fits the access token", str(claims["at_hash"])))
    if max_age is not None:
        age = int(now().timestamp()) - int(claims.get("auth_time", 0))
        checks.append(Check(age <= max_age + _LEEWAY, "auth_time is young enough", f"{age} s ago, max_age was {max_age} s"))
    return checks


def check_access_token(token: str, *, jwks: Mapping[str, Any], issuer: str) -> list[Check]:
    """What a resource server checks (RFC 9068 4); nothing for an opaque token."""
    decoded = parts(token)
    if decoded is None:
        return []
    header, claims = decoded
    return [
        _signature(token, header, jwks),
        Check(str(header.get("typ")).lower().removeprefix("application/") == "at+jwt", "typ says access token", str(header.get("typ"))),
        Check(claims.get("iss") == issuer, "iss is the provider", str(claims.get("iss"))),
        Check(bool(claims.get("aud")), "aud names who may take it", str(claims.get("aud"))),
        *_times(claims),
    ]


def _signature(token: str, header: Mapping[str, Any], jwks: Mapping[str, Any]) -> Check:
    what = "signed by a published key"
    key = next((key for key in jwks.get("keys", ()) if key.get("kid") == header.get("kid")), None)
    if key is None:
        return Check(False, what, "no key with this kid in the key set")
    # RFC 8725 3.1: the key says which algorithm, never the token.
    if key.get("alg") != header.get("alg"):
        return Check(False, what, "alg differs from the key's")
    verifier = jose.Verifier(kid=key["kid"], algorithm=key["alg"], key=jose.public_key_from_jwk(key))
    signed, _, signature = token.rpartition(".")
    return Check(verifier.valid(signed.encode("ascii"), jose.b64decode(signature)), what, f"{key['alg']}, kid {key['kid'][:12]}…")


def _times(claims: Mapping[str, Any]) -> list[Check]:
    present, expires, issued = now().timestamp(), claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int) or not isinstance(issued, int):
        return [Check(False, "exp and iat are there")]
    return [
        Check(expires > present - _LEEWAY, "exp is ahead", f"in {int(expires - present)} s"),
        Check(issued <= present + _LEEWAY, "iat is past", f"{int(present - issued)} s ago"),
    ]
