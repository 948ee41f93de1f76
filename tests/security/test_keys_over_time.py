"""Group KT: keys change, relying parties cache, nothing fails; the database goes away, the documents stay."""

from __future__ import annotations

import io
import json

import pytest
import time_machine
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from idp.accounts import people
from idp.kernel import generations, jose
from idp.oidc.keys import ring, rotation
from idp.oidc.models import SigningKey
from tests.support.browser import Sent
from tests.support.clauses import clause

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)


@clause("KT-01", "KT-12", "OIDC Core 10.1.1")
def test_a_relying_party_that_caches_never_meets_an_unknown_key(world):
    """It reads the key set once per cache time, and verifies each token until its last second."""
    service = world.app("Robot", type="service")
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        cached, read_at, tokens, kids = None, 0, [], set()
        for step in range(60):
            if step == 5:
                rotation.rotate("ES256")
            if cached is None or step * 120 - read_at >= settings.IDP.jwks_cache_seconds:
                generations.forget()
                cached, read_at = KeySet.import_key_set(service.channel.get("/jwks").json()), step * 120
            tokens.append((step, service.call("/token", {"grant_type": "client_credentials"}).json()["access_token"]))
            for born, token in tokens:
                if (step - born) * 120 < settings.IDP.access_token_seconds:
                    jwt.decode(token, cached, algorithms=["ES256"])
            kids.add(jws.extract_compact(tokens[-1][1].encode()).headers()["kid"])
            clock.shift(120)
    assert len(kids) == 2  # the new key did take over


@clause("KT-01", "KT-12")
def test_rotating_twice_in_a_row_publishes_both_keys_before_they_sign(world):
    service = world.app("Robot", type="service")
    cached = KeySet.import_key_set(service.channel.get("/jwks").json())
    for _ in range(3):
        rotation.rotate("ES256")
        generations.forget()
        token = service.call("/token", {"grant_type": "client_credentials"}).json()["access_token"]
        jwt.decode(token, cached, algorithms=["ES256"])


def test_the_name_of_a_key_can_be_given_to_a_command(world, monkeypatch):
    """A thumbprint (RFC 7638) that begins with a hyphen would be taken for an option; such a key is never kept."""
    public_jwk, unlucky = jose.public_jwk, iter([True, False])

    def name(private, algorithm):
        public = public_jwk(private, algorithm)
        return {**public, "kid": "-" + public["kid"].lstrip("-")} if next(unlucky) else public | {"kid": public["kid"].lstrip("-")}

    monkeypatch.setattr(jose, "public_jwk", name)
    [key] = rotation.rotate("EdDSA")
    assert not key.kid.startswith("-")


class Away:
    """Every statement fails as if the server were gone."""

    def __call__(self, execute, sql, params, many, context):
        raise OperationalError("the database is away")


@pytest.mark.django_db(transaction=True)
@clause("KT-04", "FT-01")
def test_without_the_database_the_documents_stay_and_the_rest_says_come_back(world, ada, browser):
    app = world.app()
    token = app.tokens(browser)["access_token"]
    paths = ["/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
    before = [browser.get(path).body for path in paths]

    def send(method, path, body=b"", **headers):
        status, found, content = browser.send(Sent(method, path, headers, body))
        return status, dict(found), content

    generations.forget()
    with connection.execute_wrapper(Away()):
        assert [browser.get(path).body for path in paths] == before
        status, headers, content = send("GET", "/userinfo", Authorization=f"Bearer {token}")
        assert (status, json.loads(content)["error"]) == (503, "temporarily_unavailable")
        assert int(headers["Retry-After"]) > 0
        assert b"away" not in content
    generations.forget()
    assert app.userinfo(token).status == 200


@clause("KT-02")
def test_a_withdrawn_key_takes_its_tokens_along_and_nobody_has_to_sign_in_again(world, ada, browser):
    app = world.app()
    tokens = app.tokens(browser)
    old = jws.extract_compact(tokens["access_token"].encode()).headers()["kid"]
    assert app.userinfo(tokens["access_token"]).status == 200
    assert rotation.withdraw(old)
    generations.forget()  # what half a second does elsewhere
    assert app.userinfo(tokens["access_token"]).status == 401
    assert old not in {key["kid"] for key in app.channel.get("/jwks").json()["keys"]}
    fresh = app.redeem(app.arrive(app.ask(browser))["code"]).json()  # no page between: still signed in
    assert app.userinfo(fresh["access_token"]).status == 200
    assert app.refresh(tokens["refresh_token"]).status == 200


@clause("KT-05")
@pytest.mark.parametrize("damage", ["another sealing key", "a changed row"])
def test_keys_that_cannot_be_read_are_not_replaced_but_refused(world, damage, settings):
    if damage == "a changed row":
        for key in SigningKey.objects.all():
            SigningKey.objects.filter(pk=key.pk).update(private_sealed=key.private_sealed[:-6] + "AAAAAA")
    else:
        settings.SEALING_KEYS = {"other": bytes(32)}
    generations.bump(ring.GENERATION)
    generations.forget()
    before = SigningKey.objects.count()
    with pytest.raises(CommandError, match="IDP_SEALING_KEYS"):
        call_command("serve", "--port", "1")
    assert SigningKey.objects.count() == before


@clause("KT-07")
def test_a_clock_that_jumps_opens_nothing_twice_and_signs_nobody_out(world, ada):
    """An hour ahead and back again, and two nodes 90 seconds apart."""
    app = world.app()
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        person = world.browser()
        tokens = app.tokens(person)
        code, attempt = app.arrive(app.ask(person))["code"], app.last
        clock.shift(3600)
        assert app.redeem(code, attempt).json()["error"] == "invalid_grant"
        assert app.userinfo(tokens["access_token"]).status == 401
        assert "code" in app.arrive(app.ask(person))  # no mass sign-out
        clock.shift(-3600)
        assert "code" in app.arrive(app.ask(person))
        assert app.redeem(code, attempt).status == 200
        clock.shift(-3600)
        assert app.redeem(code, attempt).json()["error"] == "invalid_grant"  # used once is used, whatever the time
        clock.shift(3600)
        ahead = app.arrive(app.ask(person))["code"]
        attempt = app.last
        clock.shift(-90)  # the token endpoint is on the slow node
        behind = app.redeem(ahead, attempt).json()
        assert (
            app.verified(behind["access_token"], typ="at+jwt")["iat"] <= 1798804800 - 90
        )  # 12:00:00 less 90 s: its own clock, never later
        clock.shift(90 + settings.IDP.access_token_seconds + 60)
        assert app.userinfo(behind["access_token"]).status == 401


@clause("KT-09")
def test_a_new_secret_key_lets_everything_pending_go_on_while_the_old_one_is_listed(world, ada, browser, settings, mailoutbox):
    app = world.app()
    tokens = app.tokens(browser)
    page = world.app("Second").ask(browser)  # stops at the consent page
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "n" * 60
    assert "code" in app.arrive(app.ask(browser))
    assert app.refresh(tokens["refresh_token"]).status == 200
    assert browser.get(page.location).form(having="consent-allow")


@clause("KT-11")
def test_after_a_restore_nothing_that_was_ended_since_comes_back(world, ada, browser):
    """The backup is from before the person was signed out; the drill is in docs/run-in-production.md."""
    app = world.app()
    tokens = app.tokens(browser)
    backup = list(type(ada).objects.values("pk", "credential_epoch"))
    people.sign_out_everywhere(ada)
    assert app.refresh(tokens["refresh_token"]).status == 400
    for row in backup:
        type(ada).objects.filter(pk=row["pk"]).update(credential_epoch=row["credential_epoch"])
    call_command("user", "sign-out", "--everybody", stdout=io.StringIO())
    generations.forget()
    assert app.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.userinfo(tokens["access_token"]).status == 401
    assert "/login" in app.ask(browser).location


@clause("CO-08", "RF-12")
def test_what_breaks_half_way_leaves_nothing_behind(world, ada, browser, monkeypatch):
    """The code and the refresh token are consumed in the transaction that issues: a crash before its end consumes nothing."""
    from idp.oidc.models import TokenFamily
    from idp.oidc.token import pipeline

    app = world.app()
    code = app.code(browser)

    def crash(_):
        raise RuntimeError("killed")

    def redeem(form):
        members, headers = app.credentials()
        from tests.support.browser import FORM, encoded

        return browser.send(Sent("POST", "/token", {"Content-Type": FORM, **headers}, encoded({**form, **members}).encode()))

    form = {"grant_type": "authorization_code", "code": code, "code_verifier": app.last.verifier, "redirect_uri": app.redirect_uri}
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "mint", crash)
        status, _, content = redeem(form)
        assert status == 500
        assert b"killed" not in content
        assert TokenFamily.objects.count() == 0
    tokens = app.redeem(code).json()
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "mint", crash)
        assert redeem({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})[0] == 500
    assert app.refresh(tokens["refresh_token"]).status == 200
    assert TokenFamily.objects.count() == 1
