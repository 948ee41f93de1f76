"""RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from tests.support.clauses import case, clause
from tests.support.client_keys import ec_key, jwks

pytestmark = pytest.mark.parametrize("world", ["thin"], indirect=True)

CALLBACK = "https://shop.example/cb"


@pytest.fixture
def idp(settings):
    """Change settings of ours."""

    def change(**values):
        settings.IDP = settings.IDP.model_copy(update=values)

    change(registration="open", registration_profile="oidc")
    return change


def register(browser, document=None, **headers):
    body = json.dumps(document if document is not None else {"redirect_uris": [CALLBACK]}).encode()
    return browser.request("POST", "/register", body=body, headers={"Content-Type": "application/json", **headers})


def manage(browser, answer, method, document=None, *, token=None):
    known = answer.json()
    path = known["registration_client_uri"].removeprefix(browser.origin)
    headers = {"Authorization": f"Bearer {token or known['registration_access_token']}", "Content-Type": "application/json"}
    return browser.request(method, path, body=json.dumps(document).encode() if document is not None else b"", headers=headers)


@clause("RFC 7591 3.2.1", "OpenID Registration 3.2")
def test_registered_and_usable(idp, world, browser):
    answer = register(
        browser, {"redirect_uris": [CALLBACK], "client_name": "Self-made", "initiate_login_uri": "https://shop.example/start"}
    )
    assert answer.status == 201
    assert answer.header("Cache-Control") == "no-store"
    known = answer.json()
    assert known["client_secret_expires_at"] == 0
    assert known["initiate_login_uri"] == "https://shop.example/start"
    assert known["grant_types"] == ["authorization_code"]
    assert known["token_endpoint_auth_method"] == "client_secret_basic"
    assert not {"profile", "first_party", "enabled"} & set(known)
    page = browser.follow(browser.get(f"/authorize?client_id={known['client_id']}&redirect_uri={CALLBACK}&response_type=code&scope=openid"))
    assert "Self-made" in page.text


@pytest.mark.parametrize(
    ("document", "error"),
    [
        case("OIDC Registration 2", "fragment", {"redirect_uris": [f"{CALLBACK}#f"]}, "invalid_redirect_uri"),
        case("hostile case RU-13", "javascript", {"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        case("RFC 7591 2", "no redirect URI", {"redirect_uris": []}, "invalid_redirect_uri"),
        case(
            "OpenID Third-Party-Initiated Login 4",
            "http initiate_login_uri",
            {"initiate_login_uri": "http://shop.example"},
            "invalid_client_metadata",
        ),
        case(
            "RFC 7591 2.1",
            "implicit without its grant",
            {"response_types": ["id_token"], "grant_types": ["authorization_code"]},
            "invalid_client_metadata",
        ),
        case("OIDC Core 9", "private_key_jwt without keys", {"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        case("RFC 7591 2", "jwks and jwks_uri", {"jwks": jwks(ec_key()), "jwks_uri": "https://shop.example/k"}, "invalid_client_metadata"),
        case("RFC 7517 9.2", "a private key", {"jwks": {"keys": [ec_key().as_dict(private=True)]}}, "invalid_client_metadata"),
        case("hostile case IN-03", "javascript tos_uri", {"tos_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
        case(
            "hostile case SS-01",
            "sector on a private address",
            {"sector_identifier_uri": "https://127.0.0.1/s", "subject_type": "pairwise"},
            "invalid_client_metadata",
        ),
        case("RFC 7591 2.3", "an unknown software statement", {"software_statement": "a.b.c"}, "unapproved_software_statement"),
        case("hostile case PX-09", "a list", ["x"], "invalid_client_metadata"),
        case("hostile case PX-09", "wrong types everywhere", {"redirect_uris": {"a": 1}, "client_name": 5}, "invalid_client_metadata"),
        case(
            "Front-Channel Logout 2",
            "another origin",
            {"frontchannel_logout_uri": "https://elsewhere.example/x"},
            "invalid_client_metadata",
        ),
    ],
)
def test_refused(idp, world, browser, document, error):
    whole = {"redirect_uris": [CALLBACK], **document} if isinstance(document, dict) else document
    answer = register(browser, whole)
    assert (answer.status, answer.json()["error"]) == (400, error)


@clause("hostile case TK-10", "RFC 7591 2")
def test_nobody_makes_themselves_trusted(idp, world, browser):
    from idp.oidc.models import Client

    known = register(browser, {"redirect_uris": [CALLBACK], "first_party": True, "profile": "fapi2", "skip_authorization": True}).json()
    client = Client.objects.get(client_id=known["client_id"])
    assert (client.first_party, client.profile, client.registration_source) == (False, "oidc", "dcr")


@clause("RFC 7592 2.1", "RFC 7592 2.2", "RFC 7592 2.3")
def test_read_replace_delete(idp, world, browser):
    made = register(browser)
    assert manage(browser, made, "GET").json()["redirect_uris"] == [CALLBACK]
    assert manage(browser, made, "GET", token="x" * 43).status == 401
    wrong = manage(browser, made, "PUT", {"client_id": "other", "redirect_uris": [CALLBACK]})
    assert (wrong.status, wrong.json()["error"]) == (400, "invalid_client_metadata")
    replaced = manage(
        browser, made, "PUT", {"client_id": made.json()["client_id"], "redirect_uris": [f"{CALLBACK}2"], "client_name": "Two"}
    )
    assert (replaced.status, replaced.json()["redirect_uris"], replaced.json()["client_name"]) == (200, [f"{CALLBACK}2"], "Two")
    assert manage(browser, made, "GET").status == 401, "each replacement gives a new registration access token"
    assert manage(browser, replaced, "DELETE").status == 204
    assert manage(browser, replaced, "GET").status == 401


@clause("RFC 7591 1.2", "RFC 7591 3")
def test_initial_access_tokens_and_closed_doors(idp, world, browser, capsys):
    idp(registration="token")
    assert register(browser).status == 401
    call_command("registration_token", "create", "--uses", "1", "--json")
    token = json.loads(capsys.readouterr().out)["initial_access_token"]
    assert register(browser, Authorization=f"Bearer {token}").status == 201
    assert register(browser, Authorization=f"Bearer {token}").status == 401, "used up"
    idp(registration="closed")
    assert register(browser).status == 403


@clause("RFC 7591 5")
def test_at_most_so_many_an_hour(idp, world, browser):
    idp(registration_per_hour=2)
    assert [register(browser).status for _ in range(3)] == [201, 201, 429]


@clause("OIDC Core 8.1", "hostile case TK-22")
def test_pairwise_subjects(world, ada, browser):
    apps = [
        world.app(name, subject_type="pairwise", redirect_uris=[f"https://{host}/cb"])
        for name, host in (("A", "a.example"), ("B", "b.example"), ("A2", "a.example"))
    ]
    subjects = []
    for app in apps:
        tokens = app.tokens(browser)
        subject = app.id_token(tokens["id_token"], nonce=app.last.nonce)["sub"]
        assert app.userinfo(tokens["access_token"]).json()["sub"] == subject
        assert app.call("/introspect", {"token": tokens["access_token"]}).json()["sub"] == subject
        subjects.append(subject)
    assert subjects[0] != subjects[1], "two sectors cannot be linked"
    assert subjects[0] == subjects[2], "one sector sees one person"
    assert str(ada.pk) not in subjects
