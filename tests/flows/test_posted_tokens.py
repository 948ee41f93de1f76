"""ID tokens that a page or an app got from another provider by itself: One Tap, and token exchange (RFC 8693)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from idp.accounts import invitations, people
from idp.accounts.models import User
from idp.federation import posted, upstreams
from idp.kernel import jose
from idp.oidc.clients import registry
from tests.support.factories import make_person
from tests.support.upstream import FakeUpstream, session_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@pytest.fixture
def google(corp: FakeUpstream) -> FakeUpstream:
    """An upstream called google whose tokens may be posted."""
    upstreams.remove("corp")
    members: dict[str, Any] = {"kind": "google", "posted_tokens": True, "audiences": ["ios-app"]}
    upstreams.add(name="google", issuer=corp.issuer, client_id=corp.client_id, secret="s", **members)
    corp.person = {"sub": "g-1", "email": "ada@gmail.com", "email_verified": True, "name": "Ada"}
    return corp


def nonce(client: Client, **form: str) -> str:
    return str(client.post("/federation/google/nonce", form).json()["nonce"])


def post(client: Client, token: str, **more: str) -> Any:
    return client.post("/federation/google/token", {"credential": token, **more})


def test_one_tap_signs_in(client: Client, google: FakeUpstream):
    answer = post(client, google.id_token(nonce(client)), next="/account/apps")
    assert (answer.status_code, answer.json()) == (200, {"continue": "/account/apps"})
    assert answer["Cache-Control"] == "no-store"
    assert session_of(client).person.email == "ada@gmail.com"


def test_what_a_page_sends_at_once_comes_from_one_browser(client: Client, google: FakeUpstream):
    """The sign-in page's script asks for a passkey while something else asks for a nonce, in whatever order the answers come."""
    client.get("/login")
    meanwhile = Client()
    meanwhile.cookies.load({name: morsel.value for name, morsel in client.cookies.items()})
    fresh = nonce(client)
    assert meanwhile.post("/login/passkey/options").status_code == 200
    client.cookies.update(meanwhile.cookies)
    assert post(client, google.id_token(fresh)).status_code == 200


def test_a_token_counts_once(client: Client, google: FakeUpstream):
    """GL-06: a replayed token is refused, in the same browser and in another one."""
    token = google.id_token(nonce(client))
    assert post(client, token).status_code == 200
    assert post(client, token).status_code == 401
    assert post(Client(), token).status_code == 401


def test_a_nonce_is_of_its_browser_and_of_ours(client: Client, google: FakeUpstream):
    """GL-06, GL-07: a token made for another browser, for an app, or with a nonce of somebody's own signs nobody in."""
    other = Client()
    theirs = nonce(other)
    nonce(client)
    for bad in (theirs, nonce(client, client_id="some-app"), "made up", "", None):
        assert post(client, google.id_token(bad)).status_code == 401
    assert not User.objects.exists()
    assert post(other, google.id_token(theirs)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"azp": "somebody-else"},
        {"iat": 1},
        {"sub": ""},
        {"aud": ["kairos", "x"]},
    ],
    ids=str,
)
def test_lies_are_refused(client: Client, google: FakeUpstream, changes: dict[str, Any]):
    """GL-05, of posted tokens."""
    assert post(client, google.id_token(nonce(client), **changes)).status_code == 401
    assert not User.objects.exists()


def test_only_rs256_is_looked_at(client: Client, google: FakeUpstream):
    """GL-05: alg none, HS256 and whatever else the discovery document may list."""
    google.metadata = {"id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"]}
    claims = jose.unverified_claims(google.id_token(nonce(client)))
    for bad in (jose.unsigned(claims), "", "a.b.c", "x" * 20_000, "\u0000", google.id_token(claims["nonce"])[:-6] + "AAAAAA"):
        assert post(client, bad).status_code == 401


def test_a_token_of_an_app_of_ours_counts(client: Client, google: FakeUpstream):
    assert post(client, google.id_token(nonce(client), aud="ios-app")).status_code == 200
    assert post(client, google.id_token(nonce(client), azp="ios-app")).status_code == 200


def test_another_site_cannot_post(client: Client, google: FakeUpstream):
    token = google.id_token(nonce(client))
    assert client.post("/federation/google/token", {"credential": token}, headers={"origin": "https://evil.example"}).status_code == 403


def test_it_is_rate_limited(client: Client, google: FakeUpstream):
    answers = [post(client, "x.y.z").status_code for _ in range(posted.IP_LIMIT + 1)]
    assert answers[-1] == 429
    assert set(answers[:-1]) == {401}
    assert post(client, "x.y.z").headers["Retry-After"]


def test_only_where_it_is_switched_on(client: Client, google: FakeUpstream):
    upstreams.update("google", posted_tokens=False)
    assert client.post("/federation/google/nonce").status_code == 404
    assert post(client, google.id_token("x")).status_code == 404
    assert client.post("/federation/nobody/token").status_code == 404
    assert client.get("/federation/google/token").status_code == 405


def test_conflicts_and_second_steps_go_on_by_the_pages(client: Client, google: FakeUpstream):
    """GL-10, GL-11: what the button does, the posted token does as well."""
    make_person(email="ada@gmail.com")
    assert post(client, google.id_token(nonce(client))).json() == {"continue": "/login/link"}
    google.person |= {"sub": "g-2", "email": "eve@gmail.com"}
    other = Client()
    post(other, google.id_token(nonce(other)))
    people.disable(User.objects.get(email="eve@gmail.com"))
    third = Client()
    assert post(third, google.id_token(nonce(third))).json() == {"continue": "/login/disabled"}
    assert third.get("/account").status_code == 302


# Token exchange


def app_of(world: World, **metadata: Any) -> Any:
    members = {
        "grant_types": ["authorization_code", "refresh_token", GRANT],
        "first_party": True,
        "scope": "openid email profile",
        **metadata,
    }
    return world.app("Phone app", type="native", redirect_uris=["com.example.app:/cb"], **members)


def exchange(app: Any, token: str, **changes: Any) -> Any:
    return app.call("/token", {"grant_type": GRANT, "subject_token": token, "subject_token_type": ID_TOKEN, **changes})


def nonce_for(client: Client, app: Any) -> str:
    return nonce(client, client_id=app.client_id)


def test_an_app_gets_tokens_of_ours(client: Client, google: FakeUpstream, world: World):
    app = app_of(world)
    answer = exchange(app, google.id_token(nonce_for(client, app), aud="ios-app"))
    assert answer.status == 200, answer.body
    tokens = answer.json()
    assert tokens["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    claims = app.id_token(tokens["id_token"])
    assert claims["sub"] == str(User.objects.get().pk)
    assert "sid" not in claims
    assert (claims["acr"], claims["amr"]) == ("urn:kairos:acr:1fa", [])
    assert app.userinfo(tokens["access_token"]).json()["email"] == "ada@gmail.com"
    assert app.refresh(tokens["refresh_token"]).status == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"audience": "https://api.example"}, "invalid_request"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"resource": "https://api.example"}, "invalid_target"),
        ({"subject_token": "a.b.c"}, "invalid_grant"),
    ],
    ids=str,
)
def test_exchanges_that_are_refused(client: Client, google: FakeUpstream, world: World, changes: dict[str, Any], error: str):
    """RFC 8693 2.1, 2.2.2."""
    app = app_of(world)
    answer = exchange(app, google.id_token(nonce_for(client, app)), **changes)
    assert answer.status == 400
    assert answer.json()["error"] == error


def test_a_nonce_is_of_its_app_and_counts_once(client: Client, google: FakeUpstream, world: World):
    """GL-06: not of another client, not of a browser, not twice."""
    app, other = app_of(world), app_of(world)
    for bad in (nonce_for(client, other), nonce(client), "made up"):
        assert exchange(app, google.id_token(bad)).json()["error"] == "invalid_grant"
    token = google.id_token(nonce_for(client, app))
    assert exchange(app, token).status == 200
    assert exchange(app, token).json()["error"] == "invalid_grant"


def test_only_a_registered_client_that_may(client: Client, google: FakeUpstream, world: World):
    plain = world.app("Shop")
    assert exchange(plain, google.id_token(nonce_for(client, plain))).json()["error"] == "unauthorized_client"
    app = app_of(world, identity_providers=["corp"])
    assert exchange(app, google.id_token(nonce_for(client, app))).json()["error"] == "invalid_grant"


def test_whoever_must_do_something_first_gets_no_tokens(client: Client, google: FakeUpstream, world: World):
    """GL-10, GL-11: taken address, second factor, disabled, consent."""
    app = app_of(world)
    make_person(email="ada@gmail.com")
    assert exchange(app, google.id_token(nonce_for(client, app))).json()["error"] == "invalid_grant"
    google.person |= {"sub": "g-2", "email": "eve@gmail.com"}
    assert exchange(app, google.id_token(nonce_for(client, app))).status == 200
    eve = User.objects.get(email="eve@gmail.com")
    from tests.flows.test_federation_choices import give_totp

    give_totp(eve)
    assert exchange(app, google.id_token(nonce_for(client, app))).json()["error"] == "invalid_grant"
    google.person |= {"sub": "g-3", "email": "joe@gmail.com"}
    asks = app_of(world, first_party=False)
    assert exchange(asks, google.id_token(nonce_for(client, asks))).json()["error"] == "invalid_grant"
    assert exchange(app, google.id_token(nonce_for(client, app))).status == 200
    people.disable(User.objects.get(email="joe@gmail.com"))
    assert exchange(app, google.id_token(nonce_for(client, app))).json()["error"] == "invalid_grant"


def test_terms_and_invitations_hold_without_pages(client: Client, google: FakeUpstream, world: World, settings: Any):
    """The account gate as after a password: what only a page can ask is not skipped."""
    app = app_of(world)
    settings.IDP = settings.IDP.model_copy(update={"terms_version": "2026"})
    assert exchange(app, google.id_token(nonce_for(client, app))).json()["error"] == "invalid_grant"
    settings.IDP = settings.IDP.model_copy(update={"terms_version": "", "signup": "invitation"})
    assert exchange(app, google.id_token(nonce_for(client, app))).json()["error"] == "invalid_grant"
    assert not User.objects.exists()
    invitations.create(address="ada@gmail.com")
    assert exchange(app, google.id_token(nonce_for(client, app))).status == 200


def test_the_grant_is_told(world: World):
    assert GRANT in world.browser().get("/.well-known/openid-configuration").json()["grant_types_supported"]
    assert registry.TYPES
