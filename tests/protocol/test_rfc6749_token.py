"""RFC 6749 2.3, 3.2, 4.1.3, 4.4, 5: the token endpoint, through both doors."""

from __future__ import annotations

import base64
import re

import pytest
import time_machine

from tests.support import refused
from tests.support.browser import FORM
from tests.support.clauses import case, clause
from tests.support.rp import basic
from tests.support.world import CALLBACK


@clause("RFC 6749 5.1", "OIDC Core 3.1.3.3")
def test_the_answer(world, ada, shop, browser):
    code = shop.code(browser, scope="openid email")
    answer = shop.redeem(code)
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    assert (answer.header("Cache-Control"), answer.header("Pragma")) == ("no-store", "no-cache")
    tokens = answer.json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 300, "openid email")


SHAPES = [
    case("RFC 6749 5.2", "no grant_type", {"grant_type": None}, "invalid_request"),
    case("RFC 6749 3.2", "empty grant_type counts as omitted", {"grant_type": ""}, "invalid_request"),
    case("RFC 6749 5.2", "unknown grant", {"grant_type": "urn:example:magic"}, "unsupported_grant_type"),
    case("RFC 9700 2.4", "password grant", {"grant_type": "password", "username": "ada@example.org", "password": "x"}, "unsupported_grant_type"),
    case("RFC 9700 2.1.2", "implicit grant", {"grant_type": "implicit"}, "unsupported_grant_type"),
    case("RFC 8628 3.4", "device grant", {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, "unsupported_grant_type"),
    case("RFC 8693 2.1", "exchange", {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}, "unauthorized_client"),
    case("RFC 6749 5.2", "letter case counts", {"grant_type": "AUTHORIZATION_CODE"}, "unsupported_grant_type"),
    case("RFC 6749 5.2", "a grant that the client lacks", {"grant_type": "client_credentials"}, "unauthorized_client"),
    case("RFC 6749 3.2", "grant_type twice", {"grant_type": ["authorization_code", "authorization_code"]}, "invalid_request"),
    case("RFC 6749 3.2", "code twice", {"code": ["one", "two"]}, "invalid_request"),
    case("RFC 6749 4.1.3", "no code", {"code": None}, "invalid_request"),
    case("RFC 6749 4.1.3", "empty code", {"code": ""}, "invalid_request"),
    case("RFC 6749 5.2", "a code of nobody", {"code": "x" * 43}, "invalid_grant"),
    case("RFC 6749 5.2", "a code of 15 KB", {"code": "x" * 15_000}, "invalid_grant"),
    case("RFC 6749 6", "no refresh_token", {"grant_type": "refresh_token", "refresh_token": None}, "invalid_request"),
    case("RFC 6749 6", "a refresh token of nobody", {"grant_type": "refresh_token", "refresh_token": "x" * 65}, "invalid_grant"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "error"), SHAPES)
@clause("TK-08", "PX-04", "BR-19")
def test_malformed_and_unknown(shop, given, error):
    form = {"grant_type": "authorization_code", "code": "y" * 43, "redirect_uri": CALLBACK, "code_verifier": "z" * 43, **given}
    refused.as_json(shop.call("/token", form), error)


BODIES = [
    case("hostile case PX-01", "JSON", "application/json", b'{"grant_type": "client_credentials"}', 400),
    case("hostile case PX-01", "multipart", "multipart/form-data; boundary=x", b"--x\r\n\r\n--x--", 400),
    case("RFC 6749 3.2", "no content type", "", b"grant_type=client_credentials", 400),
    case("RFC 6749 B", "another charset", f"{FORM}; charset=utf-16", b"grant_type=client_credentials", 400),
    case("RFC 6749 B", "broken percent-encoding", FORM, b"grant_type=%zz", 400),
    case("RFC 6749 B", "percent-encoded Latin-1", FORM, b"grant_type=%e4", 400),
    case("RFC 6749 B", "raw bytes", FORM, "grant_type=ä".encode("latin-1"), 400),
    case("hostile case PX-07", "NUL", FORM, b"grant_type=client_credentials%00", 400),
    case("hostile case PX-07", "NUL in a name", FORM, b"grant_type=client_credentials&a%00b=c", 400),
    case("hostile case PX-10", "5000 fields", FORM, b"&".join(b"a%d=b" % i for i in range(5000)), 400),
    case("hostile case PX-05", "100 KB", FORM, b"grant_type=" + b"x" * 100_000, 413),
    case("hostile case PX-05", "10 MB", FORM, b"grant_type=" + b"x" * 10_000_000, 413),
]


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize(("content_type", "body", "status"), BODIES)
def test_what_is_no_form_is_refused(shop, path, content_type, body, status):
    headers = {"Content-Type": content_type, "Authorization": basic(shop.client_id, shop.secret)}
    refused.as_json(shop.channel.request("POST", path, body=body, headers=headers), "invalid_request", status=status)


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@clause("RFC 6749 3.2", "RFC 9110 15.5.6", "hostile case PX-13")
def test_post_only(shop, path, method):
    headers = {"Authorization": basic(shop.client_id, shop.secret), "X-HTTP-Method-Override": "POST"}
    answer = shop.channel.request(method, f"{path}?grant_type=client_credentials", headers=headers)
    assert (answer.status, answer.header("Allow")) == (405, "POST")
    assert "no-store" in str(answer.header("Cache-Control"))


@clause("RFC 6749 3.2", "hostile case PX-03", "hostile case CA-07")
def test_the_query_does_not_count(world):
    service = world.app("Robot", type="service")
    query = f"/token?grant_type=client_credentials&client_id={service.client_id}&client_secret={service.secret}"
    refused.as_json(service.channel.post(query, {}), "invalid_request", code="grant-type-missing")
    refused.as_json(service.channel.post(query, {"grant_type": "client_credentials"}), "invalid_client", status=401)


# --- client authentication (RFC 6749 2.3)

AUTHENTICATION = [
    # registered method, client_id and secret in the body, Authorization header -> error, status; {s} is the secret, {b} a correct Basic header
    case("RFC 6749 2.3", "nothing", "client_secret_basic", {}, None, "invalid_client", 401),
    case("RFC 6749 2.3.1", "wrong secret", "client_secret_basic", {}, "wrong", "invalid_client", 401),
    case("RFC 6749 2.3.1", "empty secret", "client_secret_basic", {}, "", "invalid_client", 401),
    case("RFC 6749 2.3", "header and body", "client_secret_basic", {"client_id": "{id}", "client_secret": "{s}"}, "{s}", "invalid_request", 400),
    case("hostile case CA-02", "header right, body wrong", "client_secret_basic", {"client_secret": "wrong"}, "{s}", "invalid_request", 400),
    case("hostile case CA-03", "another client_id in the body", "client_secret_basic", {"client_id": "other"}, "{s}", "invalid_request", 400),
    case("OIDC Core 9", "post instead of basic", "client_secret_basic", {"client_id": "{id}", "client_secret": "{s}"}, None, "invalid_client", 401),
    case("OIDC Core 9", "basic instead of post", "client_secret_post", {}, "{s}", "invalid_client", 401),
    case("RFC 6749 3.2.1", "only the client_id", "client_secret_basic", {"client_id": "{id}"}, None, "invalid_client", 401),
    case("RFC 6749 3.2.1", "only the client_id, post", "client_secret_post", {"client_id": "{id}"}, None, "invalid_client", 401),
    case("RFC 6749 2.3.1", "secret without client_id", "client_secret_post", {"client_secret": "{s}"}, None, "invalid_client", 401),
    case("hostile case CA-01", "header and assertion", "client_secret_basic", {"client_assertion": "x.y.z"}, "{s}", "invalid_request", 400),
    case("hostile case CA-10", "an assertion alone", "client_secret_basic", {"client_assertion": "x.y.z"}, None, "invalid_client", 401),
]  # fmt: skip


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize(("registered", "body", "password", "error", "status"), AUTHENTICATION)
@clause("CA-05", "CA-06")
def test_exactly_the_registered_method(world, path, registered, body, password, error, status):
    app = world.app("Robot", type="service", token_endpoint_auth_method=registered)
    known = {"{id}": app.client_id, "{s}": app.secret}
    form = {"grant_type": "client_credentials", "token": "x", **{name: known.get(value, value) for name, value in body.items()}}
    headers = {} if password is None else {"Authorization": basic(app.client_id, known.get(password, password))}
    refused.as_json(app.channel.request("POST", path, form=form, headers=headers), error, status=status)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@clause("RFC 6749 2.3.1", "OIDC Core 9")
def test_the_registered_method_works(world, method):
    app = world.app("Robot", type="service", token_endpoint_auth_method=method)
    assert app.call("/token", {"grant_type": "client_credentials"}).status == 200


@clause("RFC 6749 2.3.1")
def test_the_scheme_is_case_insensitive_and_a_repeated_client_id_is_fine(world):
    app = world.app("Robot", type="service")
    header = basic(app.client_id, app.secret).replace("Basic", "bAsIc")
    form = {"grant_type": "client_credentials", "client_id": app.client_id}
    assert app.channel.post("/token", form, Authorization=header).status == 200


@pytest.mark.parametrize(
    "header",
    [
        case("RFC 6749 2.3.1", "another scheme", "Bearer abcdefgh"),
        case("RFC 6749 2.3.1", "no credentials", "Basic"),
        case("RFC 6749 2.3.1", "empty credentials", "Basic "),
        case("RFC 6749 2.3.1", "no base64", "Basic !!!!"),
        case("RFC 6749 2.3.1", "beyond ASCII", "Basic ä"),
        case("RFC 6749 2.3.1", "no colon", "Basic YWJj"),
        case("RFC 6749 2.3.1", "no client_id", "Basic OmFiYw=="),
        case("RFC 6749 2.3.1", "not UTF-8", "Basic //86eA=="),
        case("RFC 6749 2.3.1", "form-encoded bytes that are not UTF-8", "Basic JWZmOng="),
        case("hostile case PX-07", "NUL", "Basic AGE6Yg=="),
        case("hostile case PX-10", "60 KB", "Basic " + "YWJj" * 15_000),
    ],
)
def test_a_header_that_cannot_be_read(shop, header):
    answer = shop.channel.post("/token", {"grant_type": "authorization_code", "code": "x" * 43}, Authorization=header)
    refused.as_json(answer, "invalid_client", status=401)


@clause("RFC 6749 2.3", "RFC 6749 2.1")
def test_a_public_client_has_no_secret_to_send(world):
    spa = world.app(type="spa")
    form = {"grant_type": "authorization_code", "code": "x" * 43, "client_id": spa.client_id}
    for extra in ({"client_secret": "whatever"}, {"client_assertion": "x.y.z"}):
        refused.as_json(spa.channel.post("/token", {**form, **extra}), "invalid_client", status=401)
    refused.as_json(spa.channel.post("/token", form, Authorization=basic(spa.client_id, "whatever")), "invalid_client", status=401)


@clause("RFC 6749 10.10", "hostile case CA-21")
def test_guessing_is_slowed_per_address_and_does_not_lock_the_client_out(world):
    app = world.app("Robot", type="service")
    thief = world.browser(ip="203.0.113.9")
    statuses = [
        thief.post("/token", {"grant_type": "client_credentials"}, Authorization=basic(app.client_id, f"guess-{i}")) for i in range(35)
    ]
    assert {answer.status for answer in statuses[:30]} == {401}
    assert {answer.status for answer in statuses[30:]} == {429}
    assert int(statuses[-1].header("Retry-After")) > 0
    assert app.call("/token", {"grant_type": "client_credentials"}).status == 200


@clause("RFC 6749 2.3.1", "hostile case CA-22")
def test_two_secrets_during_rotation(world):
    from datetime import timedelta

    from idp.oidc.clients import registry
    from idp.oidc.models import Client

    app = world.app("Robot", type="service")
    old, row = app.secret, Client.objects.get(client_id=app.client_id)
    with time_machine.travel(0, tick=False) as clock:
        clock.move_to(row.created)
        new = registry.rotate_secret(row, overlap=timedelta(hours=1))
        for secret in (old, new):
            app.registration["client_secret"] = secret
            assert app.call("/token", {"grant_type": "client_credentials"}).status == 200
        clock.shift(timedelta(hours=1, seconds=1))
        assert app.call("/token", {"grant_type": "client_credentials"}).status == 200
        app.registration["client_secret"] = old
        refused.as_json(app.call("/token", {"grant_type": "client_credentials"}), "invalid_client", status=401)
    assert "secret" not in str(registry.describe(row)).replace("client_secret_basic", "")


# --- the code


@clause("RFC 6749 4.1.2", "hostile case CO-01", "hostile case CO-02")
@pytest.mark.parametrize("seconds", [0, 1, 30, 3600])
def test_a_code_used_twice_takes_everything_with_it(shop, ada, browser, seconds):
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        code = shop.code(browser)
        tokens = shop.redeem(code).json()
        clock.shift(seconds)
        refused.as_json(shop.redeem(code), "invalid_grant", code="code-replayed")
        refused.challenge(shop.userinfo(tokens["access_token"]), "invalid_token")
        refused.as_json(shop.refresh(tokens["refresh_token"]), "invalid_grant")
        refused.as_json(shop.redeem(code), "invalid_grant")


@clause("RFC 6749 4.1.2", "hostile case CO-05")
def test_a_code_lives_for_a_minute(shop, ada, browser):
    with time_machine.travel("2027-01-01T12:00:00Z", tick=False) as clock:
        early, attempt = shop.code(browser), shop.last
        late = shop.code(browser)
        clock.shift(59)
        assert shop.redeem(early, attempt).status == 200
        clock.shift(2)
        refused.as_json(shop.redeem(late), "invalid_grant", code="code-invalid")


@clause("RFC 6749 4.1.2", "hostile case CO-11")
def test_an_app_that_lost_the_answer_starts_the_flow_again(shop, ada, browser):
    """The retry is a replay like any other: it gets nothing, and what the first answer held dies too. No page is needed for the next code."""
    code = shop.code(browser)
    lost = shop.redeem(code).json()
    refused.as_json(shop.redeem(code), "invalid_grant")
    assert shop.refresh(lost["refresh_token"]).status == 400
    assert shop.redeem(shop.arrive(shop.ask(browser))["code"]).status == 200


@clause("RFC 6749 2.3.1", "hostile case CA-09")
def test_the_secret_is_form_encoded_before_base64(world):
    """Ours need no encoding (URL-safe characters), so that both habits work; what is encoded nevertheless is decoded."""
    app = world.app(type="service", registered_scope="api:read")
    assert re.fullmatch(r"[\w-]{43,}", app.secret)
    encoded = "".join(f"%{ord(letter):02X}" for letter in app.secret)
    for secret, status in ((app.secret, 200), (encoded, 200), (f"{app.secret}+", 401), (f"{app.secret}%3A", 401), (f"{app.secret}%", 401)):
        header = base64.b64encode(f"{app.client_id}:{secret}".encode()).decode()
        answer = app.channel.request(
            "POST", "/token", form={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {header}"}
        )
        assert answer.status == status, secret


@clause("RFC 6749 4.1.3", "hostile case CO-04")
def test_a_code_is_for_its_own_client(world, shop, ada, browser):
    other = world.app("Other")
    code = shop.code(browser)
    refused.as_json(other.redeem(code, shop.last), "invalid_grant", code="code-invalid")
    assert shop.redeem(code).status == 200  # a stranger cannot burn it


@pytest.mark.parametrize(
    "redirect_uri",
    [
        case("RFC 6749 4.1.3", "another registered one", "https://shop.example/cb2"),
        case("RFC 6749 4.1.3", "none", None),
        case("RFC 6749 4.1.3", "other letter case", CALLBACK.upper()),
        case("RFC 6749 4.1.3", "trailing slash", f"{CALLBACK}/"),
    ],
)
@clause("hostile case RU-18")
def test_the_same_redirect_uri_in_both_requests(world, ada, browser, redirect_uri):
    app = world.app(redirect_uris=[CALLBACK, "https://shop.example/cb2"])
    code = app.code(browser)
    refused.as_json(app.redeem(code, redirect_uri=redirect_uri), "invalid_grant", code="code-redirect-uri-mismatch")
    refused.as_json(app.redeem(code), "invalid_grant", code="code-replayed")  # burned


@clause("RFC 9126 7.4", "hostile case RU-19")
def test_a_redirect_uri_that_was_removed_meanwhile(world, ada, browser):
    from idp.oidc.clients import registry
    from idp.oidc.models import Client

    app = world.app(redirect_uris=[CALLBACK, "https://shop.example/cb2"])
    code = app.code(browser)
    registry.update(Client.objects.get(client_id=app.client_id), {"redirect_uris": ["https://shop.example/cb2"]})
    refused.as_json(app.redeem(code), "invalid_grant")


@pytest.mark.parametrize(
    "change",
    [
        case("hostile case CO-09", "truncated", lambda code: code[:-1]),
        case("hostile case CO-09", "padded", lambda code: code + "="),
        case("hostile case CO-09", "other letter case", str.swapcase),
        case("hostile case CO-09", "line break", lambda code: code + "\n"),
        case("hostile case CO-09", "space", lambda code: " " + code),
    ],
)
def test_almost_the_code(shop, ada, browser, change):
    code = shop.code(browser)
    refused.as_json(shop.redeem(change(code)), "invalid_grant")
    assert shop.redeem(code).status == 200


# --- client credentials (RFC 6749 4.4)


@clause("RFC 6749 4.4.3", "RFC 9068 2.2")
def test_a_service_gets_a_token_in_its_own_name(world):
    service = world.app("Robot", type="service", registered_scope="orders:read orders:write")
    answer = service.call("/token", {"grant_type": "client_credentials", "scope": "orders:read"})
    assert answer.status == 200
    tokens = answer.json()
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}  # no refresh token, no ID token
    claims = service.verified(tokens["access_token"], typ="at+jwt", audience=world.issuer)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (service.client_id, service.client_id, "orders:read")
    assert not {"auth_time", "acr", "amr", "sid", "fid"}.intersection(claims)


@pytest.mark.parametrize(
    "scope",
    [
        case("RFC 6749 3.3", "not registered", "orders:delete"),
        case("RFC 6749 3.3", "one of two", "orders:read orders:delete"),
        case("OIDC Core 3.1.2.1", "openid speaks of a person", "openid"),
        case("hostile case TK-07", "line break", "orders:read\norders:write"),
    ],
)
def test_scopes_out_of_reach(world, scope):
    service = world.app("Robot", type="service", registered_scope="openid orders:read orders:write")
    refused.as_json(service.call("/token", {"grant_type": "client_credentials", "scope": scope}), "invalid_scope")


@clause("RFC 6749 4.1.2.1", "hostile case AR-21")
def test_a_client_that_is_switched_off_gets_nothing(world, ada, browser):
    from idp.oidc.clients import registry
    from idp.oidc.models import Client

    app = world.app(resources=["https://api.example/"])
    tokens = app.tokens(browser, resource="https://api.example/")
    code = app.code(browser)
    guard = world.app("API", type="service", resources=["https://api.example/"])
    assert guard.call("/introspect", {"token": tokens["access_token"]}).json()["active"] is True
    registry.set_enabled(Client.objects.get(client_id=app.client_id), False)
    refused.as_json(app.redeem(code), "invalid_client", status=401)
    refused.as_json(app.refresh(tokens["refresh_token"]), "invalid_client", status=401)
    refused.challenge(app.userinfo(tokens["access_token"]), "invalid_token")
    assert guard.call("/introspect", {"token": tokens["access_token"]}).json() == {"active": False}
    refused.page(app.ask(browser), "client-unknown")
