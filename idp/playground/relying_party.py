"""An honest relying party: authorization code flow with PKCE, state and nonce, over HTTP, every step written down."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from idp.kernel.ids import digest, secret_token
from idp.kernel.jose import b64encode

from .notebook import Check, Notebook, Pending, Step
from .registration import Registration
from .tokens import check_access_token, check_id_token, readable, subject_of

_SHOWN_HEADERS = ("content-type", "cache-control", "www-authenticate", "access-control-allow-origin", "retry-after")
_METADATA_PATH = "/.well-known/openid-configuration"


class Unreachable(Exception):
    """The provider did not answer as OpenID Connect says; the last step in the notebook shows what it did."""


def _call(
    notebook: Notebook,
    title: str,
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
    bearer: str = "",
    explanation: str = "",
) -> tuple[Step, Any]:
    """One request to the provider, written down; the decoded JSON beside it (None if it is not JSON)."""
    headers = {"Accept": "application/json"}
    shown = []
    if basic is not None:
        # RFC 6749 2.3.1: both halves are form-encoded before Basic joins them.
        joined = f"{quote(basic[0], safe='')}:{quote(basic[1], safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(joined.encode()).decode("ascii")
        shown.append(("Authorization", f"Basic {basic[0]}:••••••••"))
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
        shown.append(("Authorization", f"Bearer {_short(bearer)}"))
    step = notebook.write(
        Step(title, method, url, explanation, sent=[(name, _short(value)) for name, value in (form or {}).items()], headers=shown)
    )
    try:
        with httpx.Client(timeout=10, trust_env=False, follow_redirects=False) as http:
            answer = http.request(method, url, data=dict(form) if form is not None else None, headers=headers)
    except httpx.HTTPError as error:
        step.checks.append(Check(False, "the provider answers", type(error).__name__))
        raise Unreachable from error
    step.status = answer.status_code
    step.answer_headers = [(name, answer.headers[name]) for name in _SHOWN_HEADERS if name in answer.headers]
    try:
        document = answer.json()
    except ValueError:
        step.answer = answer.text[:4000]
        return step, None
    step.answer = json.dumps(document, indent=2, ensure_ascii=False)
    return step, document


def _short(value: str) -> str:
    return value if len(value) <= 120 else f"{value[:60]}…{value[-20:]}"


def metadata(notebook: Notebook, issuer: str) -> dict[str, Any]:
    """Discovery; shown once per notebook. Raises Unreachable."""
    title = "Discovery"
    seen = next((step for step in notebook.steps if step.title == title and step.status == 200), None)
    if seen is not None:
        found: dict[str, Any] = json.loads(seen.answer)
        if found.get("issuer") == issuer:
            return found
    why = "The app learns the addresses and abilities of the provider from its issuer alone."
    step, document = _call(notebook, title, "GET", issuer + _METADATA_PATH, explanation=why)
    if step.status != 200 or not isinstance(document, dict):
        raise Unreachable
    step.checks.append(Check(document.get("issuer") == issuer, "issuer is the one that was asked", str(document.get("issuer"))))
    if document.get("issuer") != issuer:
        raise Unreachable
    return document


def authorization_url(notebook: Notebook, app: Registration, *, scope: str, extra: Mapping[str, str]) -> str:
    """The address to which the browser goes; remembers state, nonce and code verifier. Raises Unreachable."""
    found = metadata(notebook, app.issuer)
    verifier = secret_token(48)
    age = extra.get("max_age", "")
    max_age = int(age) if age.isdecimal() else None
    pending = Pending(state=secret_token(16), nonce=secret_token(16), code_verifier=verifier, max_age=max_age)
    notebook.expect(pending)
    parameters = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "scope": scope,
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": b64encode(digest(verifier)),
        "code_challenge_method": "S256",
        **extra,
    }
    if "id_token_hint" in parameters:
        parameters["id_token_hint"] = notebook.id_token
    why = "The app sends the browser to the provider. state, nonce and code_challenge tie the answer to this browser and this request."
    endpoint = found["authorization_endpoint"]
    sent = [(name, _short(value)) for name, value in parameters.items()]
    notebook.write(Step("Authorization request", "GET", endpoint, why, by_browser=True, sent=sent))
    return f"{endpoint}?{urlencode(parameters)}"


def receive(notebook: Notebook, app: Registration, *, method: str, answer: Mapping[str, str]) -> None:
    """The authorization response: check it, redeem the code, check the tokens. Raises Unreachable."""
    sent = [(name, _short(value)) for name, value in answer.items()]
    why = "The browser brings the answer back to the app."
    step = notebook.write(Step("Authorization response", method, app.redirect_uri, why, by_browser=True, sent=sent))
    pending = notebook.pending.pop(answer.get("state", ""), None)
    what = "state is one that this browser was sent away with"
    step.checks.append(Check(pending is not None, what, "" if pending else "it had not asked, or the answer came twice"))
    if pending is None:
        return
    # RFC 9207 2.4: the answer names its issuer, so that no other provider's can be slipped in.
    step.checks.append(Check(answer.get("iss") == app.issuer, "iss is the provider", answer.get("iss", "missing")))
    if "error" in answer:
        step.checks.append(Check(False, answer["error"][:100], answer.get("error_description", "")[:300]))
        return
    if step.failed or "code" not in answer:
        return
    notebook.code, notebook.last = answer["code"], pending
    redeem(notebook, app)


def redeem(notebook: Notebook, app: Registration) -> None:
    """Exchange the code for tokens. Calling it again shows what a replayed code gets. Raises Unreachable."""
    found = metadata(notebook, app.issuer)
    pending = notebook.last
    if pending is None:
        return
    form = {
        "grant_type": "authorization_code",
        "code": notebook.code,
        "redirect_uri": app.redirect_uri,
        "code_verifier": pending.code_verifier,
    }
    why = "The app's server exchanges the code, proving that it is the app (secret) and that it started this very request (code_verifier)."
    basic = (app.client_id, app.client_secret)
    step, tokens = _call(notebook, "Token request", "POST", found["token_endpoint"], form=form, basic=basic, explanation=why)
    _keep(notebook, app, step, tokens, nonce=pending.nonce, max_age=pending.max_age)


def refresh(notebook: Notebook, app: Registration) -> None:
    """New tokens for the refresh token, which is replaced too. Raises Unreachable."""
    found = metadata(notebook, app.issuer)
    form = {"grant_type": "refresh_token", "refresh_token": notebook.refresh_token}
    why = (
        "While the person is away the app gets fresh tokens. The refresh token is replaced every time; a stolen old one gives itself away."
    )
    basic = (app.client_id, app.client_secret)
    step, tokens = _call(notebook, "Refresh", "POST", found["token_endpoint"], form=form, basic=basic, explanation=why)
    _keep(notebook, app, step, tokens, nonce=None, max_age=None)


def _keep(notebook: Notebook, app: Registration, step: Step, tokens: Any, *, nonce: str | None, max_age: int | None) -> None:
    if step.status != 200 or not isinstance(tokens, dict):
        return
    found = metadata(notebook, app.issuer)
    access, identity = str(tokens.get("access_token", "")), str(tokens.get("id_token", ""))
    why = "The provider publishes the keys that verify its signatures."
    _, jwks = _call(notebook, "Key set", "GET", found["jwks_uri"], explanation=why)
    if not isinstance(jwks, dict):
        raise Unreachable
    if identity:
        told = notebook.write(
            Step("ID token", "", "", "Who signed in, how and when: for this app only. The app checks all of this before it believes it.")
        )
        told.tokens = [("Header and claims", readable(identity))]
        told.checks = check_id_token(
            identity,
            jwks=jwks,
            issuer=app.issuer,
            client_id=app.client_id,
            nonce=nonce,
            access_token=access,
            max_age=max_age,
            subject=notebook.subject if nonce is None else "",
        )
        if told.failed:
            return
        notebook.id_token = identity
        notebook.subject = subject_of(identity)
    if access:
        told = notebook.write(
            Step("Access token", "", "", "What the app shows to an API. This is what the API checks; the app itself need not read it.")
        )
        told.tokens = [("Header and claims", readable(access))]
        told.checks = check_access_token(access, jwks=jwks, issuer=app.issuer)
    notebook.access_token = access
    notebook.refresh_token = str(tokens.get("refresh_token", "")) or notebook.refresh_token


def userinfo(notebook: Notebook, app: Registration) -> None:
    """Claims about the person, fresh from the provider. Raises Unreachable."""
    found = metadata(notebook, app.issuer)
    why = "The app asks for the person's current claims with the access token."
    step, claims = _call(notebook, "Userinfo", "GET", found["userinfo_endpoint"], bearer=notebook.access_token, explanation=why)
    if step.status == 200 and isinstance(claims, dict):
        # OpenID Connect Core 5.3.4: otherwise the answer is somebody else's.
        step.checks.append(Check(claims.get("sub") == notebook.subject, "sub is that of the ID token", str(claims.get("sub"))))


def introspect(notebook: Notebook, app: Registration) -> None:
    """Is the access token still good? Raises Unreachable."""
    found = metadata(notebook, app.issuer)
    why = "An API that cannot read tokens asks the provider. Here the app asks about its own token."
    form, basic = {"token": notebook.access_token}, (app.client_id, app.client_secret)
    _call(notebook, "Introspection", "POST", found["introspection_endpoint"], form=form, basic=basic, explanation=why)


def revoke(notebook: Notebook, app: Registration) -> None:
    """Give the refresh token back (else the access token): everything of this sign-in ends. Raises Unreachable."""
    found = metadata(notebook, app.issuer)
    token = notebook.refresh_token or notebook.access_token
    form, basic = {"token": token}, (app.client_id, app.client_secret)
    why = "The app no longer needs access and says so. The tokens stay on this page, so that you can see what they are worth now."
    _call(notebook, "Revocation", "POST", found["revocation_endpoint"], form=form, basic=basic, explanation=why)


def logout_url(notebook: Notebook, app: Registration) -> str:
    """Where the browser goes to end the session at the provider, and comes back from. Raises Unreachable."""
    found = metadata(notebook, app.issuer)
    parameters = {"client_id": app.client_id, "post_logout_redirect_uri": app.post_logout_redirect_uri, "state": secret_token(16)}
    if notebook.id_token:
        parameters["id_token_hint"] = notebook.id_token
    endpoint = found["end_session_endpoint"]
    sent = [(name, _short(value)) for name, value in parameters.items()]
    why = "The app sends the browser to the provider, which ends its session and sends the browser back to a registered address."
    notebook.write(Step("Sign-out", "GET", endpoint, why, by_browser=True, sent=sent))
    notebook.forget_tokens()
    return f"{endpoint}?{urlencode(parameters)}"
