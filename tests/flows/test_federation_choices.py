"""Which providers people are offered and led to, what counts after them, and signing out there too."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pydantic import SecretStr

from idp.accounts.models import User
from idp.federation import documents, upstreams
from idp.mfa import factors
from idp.mfa.models import TotpDevice
from idp.oidc.clients import registry
from tests.support.factories import PASSWORD, make_person
from tests.support.upstream import FakeUpstream, go, session_of

pytestmark = pytest.mark.django_db
CALLBACK = "https://shop.example/cb"


@pytest.fixture
def shop(signing_keys: None) -> dict[str, Any]:
    client, _secret = registry.create({"client_name": "Shop", "redirect_uris": [CALLBACK], "first_party": True, "profile": "oidc"})
    return {
        "client": client,
        "client_id": client.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "state": "s",
    }


def authorize(client: Client, shop: dict[str, Any], **more: str) -> Any:
    return client.get("/authorize", {name: value for name, value in shop.items() if name != "client"} | more)


def page_of(client: Client, answer: Any) -> Any:
    while answer.status_code in (302, 303) and answer["Location"].startswith("/"):
        answer = client.get(answer["Location"])
    return answer


def google(settings: Any, fake: FakeUpstream, **more: Any) -> None:
    values = {
        "google_client_id": fake.client_id,
        "google_client_secret": SecretStr(fake.client_secret),
        "google_issuer": fake.issuer,
        **more,
    }
    settings.IDP = settings.IDP.model_copy(update=values)


def test_two_settings_switch_google_on(client: Client, corp: FakeUpstream, settings: Any):
    upstreams.remove("corp")
    assert b"Google" not in client.get("/login").content
    google(settings, corp)
    page = client.get("/login").content.decode()
    assert "Sign in with Google" in page  # its brand rules: these words, its mark in its colours
    assert '<path fill="#4285F4"' in page
    assert "Sign up with Google" in client.get("/signup").content.decode()
    corp.person |= {"email": "ada@gmail.com"}
    assert go(client, corp, name="google")["Location"] == "/account"
    assert corp.asked[1][2]["redirect_uri"] == "http://localhost:8000/federation/google/callback"


def test_google_is_believed_under_both_of_its_names():
    upstream = upstreams.Upstream("google", "Google", "google", "https://accounts.google.com", "x")
    assert upstream.issuers == ("https://accounts.google.com", "accounts.google.com")


def test_an_app_names_the_provider(client: Client, corp: FakeUpstream, shop: dict[str, Any]):
    answer = authorize(client, shop, idp_hint="corp", login_hint="ada@example.org")
    assert answer["Location"].startswith("/login?interaction=")
    answer = client.get(answer["Location"])
    assert answer.status_code == 302
    back = corp.arrive(answer["Location"])
    assert corp.asked[-1][2]["login_hint"] == "ada@example.org"
    answer = page_of(client, client.get(f"/federation/corp/callback?{urlencode(back)}"))
    assert answer["Location"].startswith(CALLBACK + "?")
    assert "code=" in answer["Location"]


def test_an_app_that_names_a_provider_leads_nobody_in_a_circle(client: Client, corp: FakeUpstream, shop: dict[str, Any]):
    answer = client.get(authorize(client, shop, idp_hint="corp")["Location"])
    back = corp.arrive(answer["Location"])
    answer = client.get("/federation/corp/callback", {"error": "access_denied", "state": back["state"]})
    assert page_of(client, answer).status_code == 200
    assert b'id="login-submit"' in page_of(client, answer).content


def test_unknown_hints_are_nothing(client: Client, corp: FakeUpstream, shop: dict[str, Any]):
    for hint in ("nobody", "", "corp'--", "\u0000", "x" * 300):
        answer = page_of(client, authorize(client, shop, idp_hint=hint))
        assert answer.status_code in (200, 302, 400)
        assert corp.issuer not in answer.headers.get("Location", "")


def test_an_app_chooses_its_providers(client: Client, corp: FakeUpstream, shop: dict[str, Any]):
    upstreams.add(name="other", issuer=corp.issuer + "/other", client_id="x", secret="y")
    registry.update(shop["client"], {"identity_providers": ["other"]})
    page = page_of(client, authorize(client, shop, idp_hint="corp"))
    assert b"upstream-other" in page.content
    assert b"upstream-corp" not in page.content
    interaction = parse_qs(urlsplit(page.wsgi_request.get_full_path()).query)["interaction"][0]
    assert client.post("/federation/corp/start", {"interaction": interaction}).status_code == 400
    registry.update(shop["client"], {"identity_providers": []})
    assert b"upstream-" not in page_of(Client(), authorize(Client(), shop)).content or True
    fresh = Client()
    assert b'id="upstream-' not in page_of(fresh, authorize(fresh, shop)).content


@pytest.mark.parametrize(("path", "field"), [("/login", "login"), ("/signup", "email")])
def test_people_of_a_domain_sign_in_at_home(client: Client, corp: FakeUpstream, path: str, field: str):
    upstreams.update("corp", domains=["corp.example"], button=False)
    assert b'id="upstream-' not in client.get(path).content
    answer = client.post(path, {field: "Ada@Corp.Example", "password": ""})
    assert answer.status_code == 200
    sent = parse_qs(urlsplit(answer["Refresh"].removeprefix("0; url=")).query)
    assert sent["login_hint"] == ["Ada@Corp.Example"]
    assert client.post(path, {field: "ada@example.org", "password": "x"}).status_code == 400


def test_somebody_of_a_domain_can_still_prove_the_account_here_to_link(client: Client, corp: FakeUpstream):
    upstreams.update("corp", domains=["example.org"])
    make_person()
    assert go(client, corp)["Location"] == "/login/link"
    answer = client.post("/login", {"login": "ada@example.org", "password": PASSWORD, "next": "/login/link"})
    assert (answer.status_code, answer["Location"]) == (302, "/login/link")


def give_totp(user: User) -> None:
    enrolment = factors.begin(user)
    TotpDevice(user=user, name="Phone", sealed_secret=enrolment.sealed).save()


def test_a_second_factor_is_asked_for_after_another_provider(client: Client, corp: FakeUpstream):
    """GL-11: the local rule holds: no session before it, whatever acr the upstream claims."""
    go(client, corp)
    give_totp(User.objects.get())
    corp.claims = {"acr": "urn:kairos:acr:mfa", "amr": ["mfa"]}
    other = Client()
    answer = go(other, corp)
    assert answer["Location"].startswith("/login/second-factor")
    assert other.get("/account").status_code == 302
    upstreams.update("corp", trusted_acr=["mfa"])  # the operator chose to believe it
    assert go(Client(), corp)["Location"] == "/account"


def test_who_has_only_another_provider_confirms_there(client: Client, corp: FakeUpstream):
    """A fresh proof is asked of the upstream (prompt, max_age), and its auth_time is looked at."""
    go(client, corp)
    page = client.get("/login?again=1&next=/account/linked").content.decode()
    assert 'id="upstream-corp"' in page
    corp.claims = {"auth_time": 1_700_000_000}
    answer = go(client, corp, again="1", next="/account/linked")
    assert (corp.asked[-2][2].get("prompt") or corp.asked[-3][2].get("prompt")) == "login"
    assert answer.status_code == 400
    assert b"did not ask you to sign in again" in answer.content
    corp.claims = {}
    assert go(client, corp, again="1", next="/account/linked")["Location"] == "/account/linked"
    corp.person |= {"sub": "u-2", "email": "eve@example.org"}
    assert go(client, corp, again="1", next="/account/linked").status_code == 400
    assert User.objects.count() == 1


def test_signing_out_ends_there_too(client: Client, corp: FakeUpstream):
    """OpenID Connect RP-Initiated Logout 2, towards the upstream: with the hint, and back to where it was to go."""
    corp.metadata = {"end_session_endpoint": f"{corp.issuer}/end"}
    upstreams.update("corp", logout=True)
    go(client, corp)
    page = client.get("/logout").content.decode()
    kept = page.split('name="kept" value="')[1].split('"')[0]
    answer = client.post("/logout/confirm", {"kept": kept})
    assert client.get("/account").status_code == 302
    onward = answer.content.decode().split('id="logout-continue" href="')[1].split('"')[0].replace("&amp;", "&")
    sent = parse_qs(urlsplit(onward).query)
    assert onward.startswith(f"{corp.issuer}/end?")
    assert sent["post_logout_redirect_uri"] == [f"{django_settings.IDP.issuer}/logout/upstream"]
    assert sent["id_token_hint"][0].count(".") == 2
    assert client.get("/logout/upstream", {"state": sent["state"][0]})["Location"] == "/logout/done"
    for forged in ("", "https://evil.example", sent["state"][0][:-2]):
        assert client.get("/logout/upstream", {"state": forged})["Location"] == "/logout/done"


def test_signing_out_works_while_the_upstream_is_down(client: Client, corp: FakeUpstream):
    corp.metadata = {"end_session_endpoint": f"{corp.issuer}/end"}
    upstreams.update("corp", logout=True)
    go(client, corp)
    documents.forget()
    corp.answers = {"/.well-known/openid-configuration": (500, {}, b"")}
    page = client.get("/logout").content.decode()
    answer = client.post("/logout/confirm", {"kept": page.split('name="kept" value="')[1].split('"')[0]})
    assert answer["Location"] == "/logout/done"
    assert client.get("/account").status_code == 302


def test_without_that_choice_no_id_token_is_kept(client: Client, corp: FakeUpstream):
    """GL-14: nothing of the upstream's tokens stays, unless signing out there was chosen; then sealed, in the session only."""
    go(client, corp)
    row = session_of(client)
    assert "upstream_session" not in client.session
    assert "eyJ" not in row.data


def test_closed_sign_up_opens_no_account(client: Client, corp: FakeUpstream, settings: Any):
    settings.IDP = settings.IDP.model_copy(update={"signup": "closed"})
    assert go(client, corp).status_code == 400
    assert not User.objects.exists()
    settings.IDP = settings.IDP.model_copy(update={"signup": "open"})
    upstreams.update("corp", signup=False)
    assert go(client, corp).status_code == 400
    assert not User.objects.exists()
