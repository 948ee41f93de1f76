"""A small honest relying party: PKCE, state, nonce, iss, code, refresh, userinfo; ID tokens verified by another library than ours."""

from __future__ import annotations

import base64
import hashlib
import secrets
import warnings
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet

from .browser import Answer, Browser, Parameters, encoded
from .factories import PASSWORD

# With these a request is about how and when somebody signs in: then they do so in the middle of it.
ABOUT_SIGNING_IN = {"prompt", "max_age", "acr_values", "claims", "login_hint", "id_token_hint", "idp_hint", "request", "request_uri"}


@dataclass
class Attempt:
    """One authorization request: what was sent, and what only the app knows."""

    parameters: dict[str, Any]
    state: str
    nonce: str
    verifier: str

    @property
    def url(self) -> str:
        return f"/authorize?{encoded(self.parameters)}"


@dataclass
class RelyingParty:
    """A registered app. `registration` has RFC 7591 members and `client_secret`; `channel` is its own way to the provider (no cookies)."""

    registration: dict[str, Any]
    channel: Browser
    redirect_uri: str = ""
    scope: str = "openid"
    last: Attempt = field(init=False)

    @property
    def client_id(self) -> str:
        return str(self.registration["client_id"])

    @property
    def secret(self) -> str:
        return str(self.registration["client_secret"])

    @property
    def issuer(self) -> str:
        return self.channel.origin

    # --- front channel

    def begin(self, **changes: Any) -> Attempt:
        """A fresh, correct request with `changes`: None leaves a parameter out, a list repeats it."""
        state, nonce, verifier = secrets.token_urlsafe(12), secrets.token_urlsafe(12), secrets.token_urlsafe(40)
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": s256(verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        self.last = Attempt(parameters, state, nonce, verifier)
        return self.last

    def ask(self, browser: Browser, **changes: Any) -> Answer:
        """Send the browser to /authorize; the provider's first answer."""
        return browser.get(self.begin(**changes).url)

    def sign_in(self, browser: Browser, *, email: str = "ada@example.org", password: str = PASSWORD, **changes: Any) -> dict[str, str]:
        """The whole front channel by the real pages: agree, and sign in where asked. The checked members of the answer.

        In a browser that was nowhere yet somebody has just signed in at the provider, where the request says nothing about that.
        """
        if not browser.cookies and not changes.keys() & ABOUT_SIGNING_IN:
            sign_in_before(browser, email=email, password=password)
        return self.arrive(through_pages(browser, self.ask(browser, **changes), email=email, password=password))

    def arrive(self, answer: Answer, attempt: Attempt | None = None) -> dict[str, str]:
        """What came back to the redirect URI: registered place, own state (RFC 6749 10.12), our issuer (RFC 9207 2.4)."""
        attempt = attempt or self.last
        members = members_of(answer, attempt.parameters.get("redirect_uri") or self.redirect_uri)
        assert members.get("state") == attempt.parameters.get("state")
        assert members["iss"] == self.issuer
        return members

    def code(self, browser: Browser, **changes: Any) -> str:
        """A fresh code."""
        return self.sign_in(browser, **changes)["code"]

    # --- back channel

    def credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        """Body members and headers of the registered client authentication."""
        method = self.registration["token_endpoint_auth_method"]
        if method == "none":
            return {"client_id": self.client_id}, {}
        if method == "client_secret_post":
            return {"client_id": self.client_id, "client_secret": self.secret}, {}
        return {}, {"Authorization": basic(self.client_id, self.secret)}

    def call(self, path: str, form: Parameters, **headers: str) -> Answer:
        """POST as this client."""
        members, header = self.credentials()
        pairs = [*(form.items() if isinstance(form, dict) else form), *members.items()]
        return self.channel.request("POST", path, form=pairs, headers={**header, **headers})

    def redeem(self, code: str, attempt: Attempt | None = None, **changes: Any) -> Answer:
        """The code for tokens (RFC 6749 4.1.3)."""
        attempt = attempt or self.last
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": attempt.verifier}
        if attempt.parameters.get("redirect_uri"):
            form["redirect_uri"] = attempt.parameters["redirect_uri"]
        if attempt.parameters.get("code_challenge") is None:
            del form["code_verifier"]
        return self.call("/token", {**form, **changes})

    def tokens(self, browser: Browser, **changes: Any) -> dict[str, Any]:
        """The whole flow; the token answer, with a verified ID token."""
        answer = self.redeem(self.code(browser, **changes))
        assert answer.status == 200, answer.body
        tokens: dict[str, Any] = answer.json()
        if "id_token" in tokens:
            self.id_token(tokens["id_token"], nonce=self.last.parameters.get("nonce"))
        return tokens

    def refresh(self, refresh_token: str, **changes: Any) -> Answer:
        """RFC 6749 6."""
        return self.call("/token", {"grant_type": "refresh_token", "refresh_token": refresh_token, **changes})

    def userinfo(self, access_token: str) -> Answer:
        """OIDC Core 5.3."""
        return self.channel.get("/userinfo", Authorization=f"Bearer {access_token}")

    def id_token(self, token: str, *, nonce: str | None = None, expired_ok: bool = False) -> dict[str, Any]:
        """Its claims, checked as OIDC Core 3.1.3.7 says."""
        claims = self.verified(token, typ="JWT", audience=self.client_id, expired_ok=expired_ok)
        assert claims.get("nonce") == nonce
        return claims

    def verified(self, token: str, *, typ: str, audience: str | None = None, expired_ok: bool = False) -> dict[str, Any]:
        """Claims of a token whose signature fits exactly one published key."""
        published = self.channel.get("/jwks").json()
        header = jws.extract_compact(token.encode()).headers()
        keys = [key for key in published["keys"] if key["kid"] == header["kid"] and key["alg"] == header["alg"]]
        assert len(keys) == 1
        assert header["typ"] == typ
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # RFC 9864 renames EdDSA to Ed25519; both are the same bytes
            found = jwt.decode(token, KeySet.import_key_set(published), algorithms=[header["alg"]])
        claims: dict[str, Any] = found.claims
        wanted: dict[str, Any] = {name: {"essential": True} for name in ("sub", "exp", "iat", "aud")}
        wanted |= {"iss": {"essential": True, "value": self.issuer}} | ({"aud": {"essential": True, "value": audience}} if audience else {})
        if expired_ok:
            del wanted["exp"], claims["exp"]
        jwt.JWTClaimsRegistry(**wanted).validate(claims)
        return claims


def sign_in_before(browser: Browser, *, email: str, password: str) -> None:
    """What the sign-in page would send, without asking for the page first: a thousand tests begin with it."""
    token = secrets.token_hex(16)
    browser.cookies["__Host-kairos_csrf" if browser.origin.startswith("https:") else "kairos_csrf"] = token
    answer = browser.post("/login", {"csrfmiddlewaretoken": token, "login": email, "password": password}, Origin=browser.origin)
    assert answer.status in (302, 303), f"sign-in refused: {answer.status} {answer.text[:2000]}"


def through_pages(
    browser: Browser, answer: Answer, *, email: str = "ada@example.org", password: str = PASSWORD, agree: bool = True
) -> Answer:
    """Do what the provider's pages ask, until an answer leads to the app (or is something else than sign-in and consent)."""
    for _ in range(6):
        answer = browser.follow(answer)
        if answer.status != 200:
            return answer
        if 'id="login-submit"' in answer.text:
            answer = browser.submit(answer, button="login-submit", login=email, password=password)
            assert answer.status in (302, 303), f"sign-in refused: {answer.status} {answer.text[:2000]}"
        elif 'id="consent-allow"' in answer.text:
            answer = browser.submit(answer, button="consent-allow" if agree else "consent-deny")
        else:
            return answer
    raise AssertionError("asked again and again")


def members_of(answer: Answer, redirect_uri: str) -> dict[str, str]:
    """The members of an authorization answer in query, fragment or form_post; fails when it leads elsewhere or repeats one."""
    if answer.status == 200:
        form = answer.form(having="form-post-continue")
        assert form.method == "post"
        assert form.action == redirect_uri
        return form.fields
    assert answer.status in (302, 303), f"{answer.status} {answer.text[:2000]}"
    where = answer.location
    assert where.startswith(redirect_uri), where
    parts = urlsplit(where)
    own = parse_qsl(urlsplit(redirect_uri).query)
    pairs = parse_qsl(parts.fragment or parts.query, strict_parsing=True)
    assert pairs[: len(own)] == own if not parts.fragment else True
    members = dict(pairs)
    assert len(members) == len(pairs), "a member twice"
    return members


def basic(client_id: str, secret: str) -> str:
    """RFC 6749 2.3.1: form-encoded, joined, base64."""
    return "Basic " + base64.b64encode(f"{quote(client_id, safe='')}:{quote(secret, safe='')}".encode()).decode()


def s256(verifier: str) -> str:
    """RFC 7636 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
