"""RFC 7662: introspection, through both doors."""

from __future__ import annotations

import pytest
import time_machine
from django.db.models import F

from idp.accounts.models import User
from idp.kernel import clock
from idp.oidc.models import TokenFamily
from tests.support import refused
from tests.support.clauses import case, clause

INACTIVE = {"active": False}
API = "https://api.example/"


@pytest.fixture
def api(world):
    """A resource server: a service client that is registered with its own identifier."""
    return world.app("API", type="service", resources=[API])


@clause("RFC 7662 2.2", "RFC 9470 6.2")
def test_what_a_client_sees_of_its_own_token(shop, ada, browser):
    token = shop.tokens(browser, scope="openid email")["access_token"]
    answer = shop.call("/introspect", {"token": token, "token_type_hint": "access_token"})
    assert (answer.status, answer.header("Cache-Control")) == (200, "no-store")
    seen = answer.json()
    shown = {"active", "token_type", "iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "auth_time", "acr", "amr"}
    assert set(seen) == shown
    assert (seen["active"], seen["token_type"], seen["sub"], seen["client_id"]) == (True, "Bearer", str(ada.pk), shop.client_id)
    assert (seen["scope"], seen["exp"] - seen["iat"]) == ("openid email", 300)


@clause("RFC 7662 2.2")
def test_what_a_client_sees_of_its_own_refresh_token(shop, ada, browser):
    tokens = shop.tokens(browser)
    seen = shop.call("/introspect", {"token": tokens["refresh_token"], "token_type_hint": "refresh_token"}).json()
    assert (seen["active"], seen["sub"], seen["client_id"]) == (True, str(ada.pk), shop.client_id)
    assert "token_type" not in seen
    new = shop.refresh(tokens["refresh_token"]).json()["refresh_token"]
    assert shop.call("/introspect", {"token": tokens["refresh_token"]}).json() == INACTIVE
    assert shop.call("/introspect", {"token": new}).json()["active"] is True


@clause("RFC 7662 4")
def test_a_resource_server_sees_tokens_for_itself_only(world, api, ada, browser):
    app = world.app(resources=[API, "https://else.example/"])
    mine = app.redeem(app.code(browser, resource=[API]), resource=API).json()["access_token"]
    other = app.redeem(app.code(browser, resource=["https://else.example/"]), resource="https://else.example/").json()["access_token"]
    assert api.call("/introspect", {"token": mine}).json()["aud"] == API
    assert api.call("/introspect", {"token": other}).json() == INACTIVE
    stranger = world.app("Stranger", resources=[API])  # may ask for the resource, is not it
    assert stranger.call("/introspect", {"token": mine}).json() == INACTIVE


@clause("RFC 7662 4", "hostile case RF-11")
def test_a_refresh_token_is_nobody_elses_business(world, api, shop, ada, browser):
    token = shop.tokens(browser)["refresh_token"]
    for other in (api, world.app("Other")):
        assert other.call("/introspect", {"token": token}).json() == INACTIVE


@pytest.mark.parametrize(
    "token",
    [
        case("RFC 7662 2.2", "junk", "junk"),
        case("RFC 7662 2.2", "15 KB", "x" * 15_000),
        case("RFC 7662 2.2", "JWT without signature", "eyJhbGciOiJub25lIn0.e30."),
        case("RFC 7662 2.2", "as long as a refresh token", "x" * 65),
        case("RFC 7662 2.2", "letters of the world", "äöü"),
    ],
)
def test_what_is_no_token_is_inactive(shop, token):
    assert shop.call("/introspect", {"token": token}).json() == INACTIVE


@clause("RFC 7662 2.2")
def test_ended_tokens_are_inactive(shop, ada, browser):
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as time:
        expired, revoked = shop.tokens(browser), shop.tokens(browser)
        shop.call("/revoke", {"token": revoked["refresh_token"]})
        assert shop.call("/introspect", {"token": revoked["access_token"]}).json() == INACTIVE
        assert shop.call("/introspect", {"token": expired["id_token"]}).json() == INACTIVE
        time.shift(300)
        assert shop.call("/introspect", {"token": expired["access_token"]}).json() == INACTIVE


@pytest.mark.parametrize(
    "change",
    [
        case("RFC 7662 2.2", "disabled", {"is_active": False}),
        case("RFC 7662 2.2", "no verified address any more", {"email_verified_at": None}),
        case("RFC 7662 2.2", "signed out everywhere, or another password", {"credential_epoch": F("credential_epoch") + 1}),
    ],
)
def test_tokens_of_somebody_whom_the_gate_refuses_are_inactive(shop, ada, browser, change):
    token = shop.tokens(browser)["access_token"]
    User.objects.filter(pk=ada.pk).update(**change)
    assert shop.call("/introspect", {"token": token}).json() == INACTIVE


@clause("RFC 7662 2.2")
def test_tokens_end_with_their_family(shop, ada, browser):
    token = shop.tokens(browser)["access_token"]
    TokenFamily.objects.update(expires_at=clock.now())
    assert shop.call("/introspect", {"token": token}).json() == INACTIVE
    TokenFamily.objects.all().delete()
    assert shop.call("/introspect", {"token": token}).json() == INACTIVE


@clause("RFC 7662 2.1")
def test_malformed(shop):
    refused.as_json(shop.call("/introspect", {}), "invalid_request", code="token-missing")
    refused.as_json(shop.call("/introspect", {"token": ""}), "invalid_request", code="token-missing")
    refused.as_json(shop.call("/introspect", {"token": ["a", "b"]}), "invalid_request", code="duplicate-parameter")


@clause("RFC 7662 2.1", "hostile case CA-24")
def test_the_caller_authenticates(world, shop):
    refused.as_json(shop.channel.post("/introspect", {"token": "x"}), "invalid_client", status=401)
    refused.as_json(shop.channel.post("/introspect", {"token": "x"}, Authorization="Bearer x"), "invalid_client", status=401)
    spa = world.app(type="spa")
    refused.as_json(spa.call("/introspect", {"token": "x"}), "invalid_client", status=401)
