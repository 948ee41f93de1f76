"""A fresh checkout, `make run`, and two relying parties that know nothing about us: discovery, sign-in in a real browser, tokens,
userinfo, refresh, sign-out.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.sync_api import Page, Playwright

from tests.support.chromium import allow_until, running, sign_in, sign_out
from tests.support.landing import Landing, landing
from tests.support.programs import find
from tests.support.provider import Provider, embedded
from tests.support.servers import ROOT

pytestmark = [pytest.mark.needs("chromium", "git", "make"), pytest.mark.chromium, pytest.mark.slow, pytest.mark.embedded]

SCOPE = "openid profile email offline_access"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows, as they are now: what somebody who clones the project gets."""
    folder = tmp_path_factory.mktemp("clone") / "kairos-id"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def provider(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    data = tmp_path_factory.mktemp("data")
    python = str(checkout / ".venv" / "bin" / "python")
    # Idle machines need 40 s for the first start, which installs everything, and 2 s for the next; this one runs other tests beside it.
    with embedded(data, root=checkout, command=("make", "run"), python=python, seconds=300) as first:
        assert first.issuer in first.server.log, "`make run` says where to go"
    with embedded(data, root=checkout, command=("make", "run"), python=python) as second:
        assert "setup:" not in second.server.log, "nothing is installed twice"
        yield second


@pytest.fixture
def page(playwright: Playwright) -> Iterator[Page]:
    """In the whole browser, as people have it."""
    with running(playwright, find("chromium")) as chromium:
        page = chromium.new_page()
        page.set_default_timeout(30_000)
        yield page


@pytest.fixture
def app() -> Iterator[Landing]:
    with landing() as place:
        yield place


def registered(provider: Provider, app: Landing, name: str) -> dict[str, Any]:
    return provider.add_client(
        name, type="web", redirect_uri=f"{app.url}/callback", post_logout_redirect_uri=f"{app.url}/signed-out", scope=SCOPE
    )


def authorize(page: Page, url: str, app: Landing, person: dict[str, Any]) -> str:
    """Take the browser through sign-in and consent; returns the address at which it arrived."""
    page.goto(url)
    sign_in(page, email=person["email"])
    allow_until(page, f"{app.url}/callback")
    return page.url


def signed_out(page: Page, url: str, app: Landing) -> None:
    page.goto(url)
    sign_out(page)
    page.wait_for_url(f"{app.url}/signed-out**")
    assert parse_qs(urlsplit(page.url).query)["state"] == ["bye"]


def test_authlib(provider: Provider, app: Landing, page: Page):
    person = provider.add_person(claims={"name": "Ada Lovelace"})
    client = registered(provider, app, "Authlib")
    metadata = OpenIDProviderMetadata(httpx.get(f"{provider.issuer}/.well-known/openid-configuration", trust_env=False).json())
    keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"], trust_env=False).json())
    verifier, nonce = generate_token(48), generate_token(24)
    with OAuth2Session(
        client["client_id"], client["client_secret"], token_endpoint_auth_method="client_secret_basic", scope=SCOPE,
        redirect_uri=f"{app.url}/callback", code_challenge_method="S256",
    ) as session:  # fmt: skip
        url, state = session.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, prompt="consent"
        )
        arrived = authorize(page, url, app, person)
        token = session.fetch_token(metadata["token_endpoint"], authorization_response=arrived, code_verifier=verifier, state=state)
        decoded = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"])
        claims = CodeIDToken(
            decoded.claims, decoded.header, {"iss": {"values": [metadata["issuer"]]}},
            {"client_id": client["client_id"], "nonce": nonce, "access_token": token["access_token"]},
        )  # fmt: skip
        claims.validate()
        assert claims["sub"] == person["sub"]
        userinfo = session.get(metadata["userinfo_endpoint"]).json()
        assert userinfo["sub"] == person["sub"]
        assert userinfo["email"] == person["email"]
        assert userinfo["email_verified"] is True
        assert userinfo["name"] == "Ada Lovelace"
        refreshed = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
        assert refreshed["access_token"] != token["access_token"]
        assert refreshed["refresh_token"] != token["refresh_token"]
        assert session.get(metadata["userinfo_endpoint"]).json()["sub"] == person["sub"]
    logout = f"{metadata['end_session_endpoint']}?{httpx.QueryParams(id_token_hint=token['id_token'], post_logout_redirect_uri=f'{app.url}/signed-out', state='bye')}"
    signed_out(page, logout, app)


@pytest.mark.needs("node", "npm")
def test_openid_client(provider: Provider, app: Landing, page: Page, tmp_path: Path):
    person = provider.add_person(claims={"name": "Grace Hopper"})
    client = registered(provider, app, "openid-client")
    shutil.copytree(ROOT / "tests" / "relying_parties", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"], cwd=tmp_path, check=True)
    environment = os.environ | {
        "OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": client["client_id"], "OIDC_CLIENT_SECRET": client["client_secret"],
        "REDIRECT_URI": f"{app.url}/callback",
    }  # fmt: skip
    with subprocess.Popen(
        ["node", "openid_client.mjs"], cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        url = json.loads(process.stdout.readline())["authorize"]
        process.stdin.write(authorize(page, url, app, person) + "\n")
        process.stdin.flush()
        learned = json.loads(process.stdout.readline())
        process.wait(20)
    assert learned["claims"]["sub"] == learned["userinfo"]["sub"] == learned["again"]["sub"] == person["sub"]
    assert learned["userinfo"]["email"] == person["email"]
    assert learned["userinfo"]["name"] == "Grace Hopper"
    assert learned["rotated"]
    assert learned["fresh"]
    signed_out(page, learned["logout"], app)
