"""Group KT: keys change, relying parties cache, nothing fails; the database goes away, the documents stay."""

from __future__ import annotations

import json

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from idp.kernel import generations
from idp.oidc.keys import rotation
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
