"""The staff console: who may come in, what it changes, what it never shows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client as Browser

from idp.accounts.models import User
from idp.consent import agreement
from idp.events import outbox
from idp.events.models import Delivery, EventRecord
from idp.kernel.clock import now
from idp.oidc.clients import registry
from idp.oidc.explain.record import record
from idp.oidc.keys import rotation
from idp.oidc.models import Client, ClientSecret, RefusedRequest, SigningKey
from idp.oidc.protocol.errors import OAuthError
from idp.oidc.protocol.refusals import REDIRECT_URI_MISMATCH
from tests.support.factories import make_person

pytestmark = pytest.mark.django_db

CLIENTS = "/staff/oidc/client/"
PEOPLE = "/staff/accounts/user/"
EVENTS = "/staff/events/eventrecord/"
REFUSALS = "/staff/oidc/refusedrequest/"
DELIVERIES = "/staff/events/delivery/"
KEYS = "/staff/oidc/signingkey/"
LISTS = (CLIENTS, PEOPLE, EVENTS, REFUSALS, DELIVERIES, KEYS)


def browser_of(user) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def officer(db) -> User:
    user = make_person(email="grace@example.org")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    return User.objects.get(pk=user.pk)


@pytest.fixture
def staff(officer) -> Browser:
    return browser_of(officer)


@pytest.fixture
def client_app(db) -> Client:
    app, _ = registry.create({"client_name": "Meal Planner", "redirect_uris": ["https://meals.example/cb"]})
    return app


@pytest.fixture
def full(client_app, person) -> None:
    """One row, and more, of everything that the console lists."""
    rotation.rotate()
    for number in range(5):
        other = make_person(email=f"p{number}@example.org", verified=number % 2 == 0)
        agreement.give(user=other, client_id=client_app.client_id, client_name="Meal Planner", wish=agreement.Wish(frozenset({"openid"})))
        record(OAuthError(REDIRECT_URI_MISMATCH), endpoint="authorize", arrived={"client_id": client_app.client_id, "code": "s3cret-code"})
        outbox.enqueue(receiver="mail", payload={"to": "secret-recipient@example.org"})
        registry.create({"client_name": f"App {number}", "redirect_uris": ["https://a.example/cb"]}, type=["web", "spa"][number % 2])


def text_of(response) -> str:
    return response.content.decode()


def found(pattern, response) -> str:
    match = re.search(pattern, text_of(response))
    assert match is not None
    return match[1]


def names() -> list[str]:
    return list(EventRecord.objects.order_by("id").values_list("name", flat=True))


# Who may come in


def test_nobody_signed_in_is_sent_to_the_one_sign_in_page(client):
    for address in ("/staff/", *LISTS, "/staff/anything", f"{CLIENTS}add/"):
        answer = client.get(address)
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/login")
    assert client.get("/staff/")["Location"] == "/login?next=/staff/"


@pytest.mark.parametrize("address", ["/staff/", *LISTS, f"{CLIENTS}add/", "/staff/nothing-here"])
def test_a_person_who_is_not_staff_finds_nothing(client, person, address):
    client.force_login(person)
    missing = client.get("/no-such-page")
    answer = client.get(address)
    assert answer.status_code == 404
    strip = re.compile(rb"[0-9a-zA-Z+/=_-]{16,}")
    assert strip.sub(b"", answer.content) == strip.sub(b"", missing.content)


def test_a_person_who_is_not_staff_changes_nothing(client, person, client_app):
    client.force_login(person)
    for action in ("secret/", "switch/", "delete/", ""):
        assert client.post(f"{CLIENTS}{client_app.pk}/{action}", {"to": "off", "overlap": "0"}).status_code == 404
    assert client.post(f"{KEYS}rotate/").status_code == 404
    assert Client.objects.get(pk=client_app.pk).enabled
    assert ClientSecret.objects.count() == 1


def test_who_is_no_longer_staff_is_out_at_once(staff, officer):
    assert staff.get("/staff/").status_code == 200
    User.objects.filter(pk=officer.pk).update(is_staff=False)
    assert staff.get("/staff/").status_code == 404


def test_who_is_disabled_is_out_at_once(staff, officer):
    from idp.accounts import people

    people.disable(officer)
    assert staff.get("/staff/").status_code == 302


def test_there_is_no_second_sign_in_page(client, staff):
    assert client.get("/staff/login/")["Location"] == "/login?next=/staff/login/"
    for address in ("login/", "logout/", "password_change/", "jsi18n/", "autocomplete/", "r/1/1/", "auth/user/", "auth/group/"):
        assert staff.get(f"/staff/{address}").status_code == 404, address


def test_a_form_without_its_token_is_refused(officer, client_app):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(officer)
    for address in (f"{CLIENTS}{client_app.pk}/delete/", f"{CLIENTS}{client_app.pk}/secret/", f"{CLIENTS}add/?kind=web", f"{KEYS}rotate/"):
        assert browser.post(address).status_code == 403, address
    assert Client.objects.filter(pk=client_app.pk).exists()


# Pages


@pytest.mark.parametrize("address", ["/staff/", *LISTS])
def test_a_list_costs_the_same_however_many_rows_it_has(staff, full, address, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        answer = staff.get(address)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


def test_no_page_of_a_list_or_record_shows_a_secret(staff, full, officer):
    sealed = Delivery.objects.values_list("payload", flat=True)
    private = SigningKey.objects.values_list("private_sealed", flat=True)
    hashes = User.objects.values_list("password", flat=True)
    pages = [staff.get(address) for address in LISTS]
    pages += [staff.get(f"{PEOPLE}{user.pk}/") for user in User.objects.all()]
    pages += [staff.get(f"{DELIVERIES}{row.pk}/") for row in Delivery.objects.all()]
    pages += [staff.get(f"{EVENTS}{row.pk}/") for row in EventRecord.objects.all()]
    pages += [staff.get(f"{REFUSALS}{row.pk}/") for row in RefusedRequest.objects.all()]
    pages += [staff.get(f"{CLIENTS}{row.pk}/") for row in Client.objects.all()]
    assert {page.status_code for page in pages} == {200}
    everything = "".join(text_of(page) for page in pages)
    for secret in (*sealed, *private, *hashes, "secret-recipient", "s3cret-code"):
        assert secret not in everything


HOSTILE = [
    "o=password", "o=-", "o=1.2.3.99", "p=abc", "p=-1", "p=999999999999", "all=", "q=%00", "e=1", "_popup=1", "_facets=1",
    "state=%00", "when=never", "kind=x", "when=%FF", "q=" + "a" * 5000, "when=day&when=week", "state[]=x", "q[$ne]=1",
]  # fmt: skip
REFUSED = [
    "password__startswith=argon2",
    "private_sealed__startswith=a",
    "secrets__digest=1",
    "id__in=%00",
    "payload__contains=x",
    "_to_field=password",
]


def test_an_odd_address_of_a_list_gets_an_answer(staff, full):
    for query in HOSTILE:
        for address in LISTS:
            assert staff.get(f"{address}?{query}").status_code in (200, 302, 400), (address, query)


def test_a_list_filters_by_nothing_that_it_does_not_offer(staff, full):
    """Hostile case IN-14: a filter over a secret column is an oracle."""
    for query in REFUSED:
        for address in LISTS:
            answer = staff.get(f"{address}?{query}")
            assert answer.status_code == 400, (address, query)
            assert "argon2" not in text_of(answer)


def test_a_record_that_is_not_there_is_not_found(staff, full):
    for name in ("0", "99999999999999999999999", "abc", "%00", "_5F", "..%2f..", "%FF", "é"):
        for address in LISTS:
            for action in ("", "switch/", "delete/", "secret/", "retire/", "retry/", "sign-out/"):
                assert staff.get(f"{address}{name}/{action}").status_code in (400, 404, 405), (address, name, action)


# Apps and services


def added(staff, kind="web", **fields):
    values = {
        "client_name": "Wiki",
        "redirect_uris": "https://wiki.example/cb\r\n\r\n https://wiki.example/cb2 ",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid email",
        "token_endpoint_auth_method": "client_secret_basic",
        "profile": "oauth21",
    }
    return staff.post(f"{CLIENTS}add/?kind={kind}", values | fields)


def test_an_app_is_registered_and_its_secret_shown_once(staff, officer, caplog):
    answer = added(staff, access_token_seconds="120", resources="https://api.example", allowed_origins="https://wiki.example")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    secret = found(r'id="client-secret">([^<]+)<', answer)
    app = Client.objects.get(name="Wiki")
    described = registry.describe(app)
    assert described["redirect_uris"] == ["https://wiki.example/cb", "https://wiki.example/cb2"]
    assert described["response_types"] == ["code"]
    assert (described["access_token_seconds"], described["resources"]) == (120, ["https://api.example"])
    assert "client_uri" not in described
    from idp.oidc.clients import cache

    policy = cache.get(app.client_id)
    assert policy is not None
    assert policy.secret_matches(secret, now=now())
    for address in (f"{CLIENTS}{app.pk}/", f"{CLIENTS}{app.pk}/secret/", CLIENTS, EVENTS, "/staff/"):
        assert secret not in text_of(staff.get(address))
    assert secret not in str(staff.cookies) + caplog.text
    row = EventRecord.objects.get(name="client.created")
    assert (row.by, row.client_id) == (officer.pk, app.client_id)
    from django.contrib.admin.models import LogEntry

    assert not LogEntry.objects.exists()


def test_a_public_app_gets_no_secret(staff):
    answer = added(staff, kind="spa")
    assert answer.status_code == 302
    app = Client.objects.get(name="Wiki")
    assert app.token_endpoint_auth_method == "none"
    assert not app.secrets.exists()
    assert staff.get(f"{CLIENTS}{app.pk}/secret/").status_code == 404


def test_a_service_needs_a_name_only(staff):
    answer = staff.post(
        f"{CLIENTS}add/?kind=service",
        {"client_name": "Nightly job", "token_endpoint_auth_method": "client_secret_basic", "profile": "oauth21"},
    )
    assert "client-secret" in text_of(answer)
    described = registry.describe(Client.objects.get(name="Nightly job"))
    assert (described["grant_types"], described["response_types"]) == (["client_credentials"], [])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("redirect_uris", "https://ok.example/\nhttp://evil.example/", "Address 2 is plain http"),
        ("redirect_uris", "https://ok.example/*#x", "Address 1"),
        ("redirect_uris", "", "Must hold at least one address"),
        ("allowed_origins", "https://wiki.example/path", "Must hold origins"),
        ("resources", "not-a-uri", "Must hold absolute URIs"),
        ("scope", 'open"id', "Must be scope names"),
        ("access_token_seconds", "5", "from 30 to 3600"),
        ("access_token_seconds", "9" * 400, "from 30 to 3600"),
        ("client_uri", "javascript:alert(1)", "Must be an https URL"),
        ("client_name", "\u200b\u200b", "visible characters"),
        ("profile", "fapi2", "Select a valid choice"),
        ("grant_types", "refresh_token", ""),
        ("response_types", "code id_token", "Must hold implicit"),
        ("token_endpoint_auth_method", "private_key_jwt", "needed for private_key_jwt"),
        ("jwks", "{", "This is not JSON"),
        ("jwks", "[" * 50000, "This is not JSON"),
        ("jwks", '{"keys": [{"kty": "oct", "k": "AA"}]}', "public keys only"),
        ("client_name", "a\x00b", "Null characters"),
    ],
)
def test_a_mistake_is_shown_at_its_field_and_stores_nothing(staff, field, value, says):
    answer = added(staff, **{field: value})
    assert answer.status_code == 200
    page = text_of(answer)
    assert says in page
    assert "<title>Error:" in page
    assert re.search(r'id="id_[a-z_]+_error"', page)
    assert not Client.objects.exists()
    assert "client.created" not in names()


def test_a_link_fills_in_nothing(staff):
    assert "evil" not in text_of(staff.get(f"{CLIENTS}add/?kind=web&redirect_uris=https://evil.example&client_name=evil"))


def edited(staff, app, **changes):
    page = staff.get(f"{CLIENTS}{app.pk}/")
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values = {
        name: "\n".join(v) if isinstance(v, list) and name not in ("grant_types", "response_types") else v for name, v in values.items()
    }
    values = {name: v for name, v in values.items() if v not in (None, False)}
    return staff.post(f"{CLIENTS}{app.pk}/", values | changes)


def test_an_app_is_changed_through_the_registry(staff, officer, client_app):
    answer = edited(staff, client_app, client_uri="https://meals.example", default_max_age="600", contacts="ops@meals.example")
    assert answer.status_code == 302
    described = registry.describe(Client.objects.get(pk=client_app.pk))
    assert (described["client_uri"], described["default_max_age"], described["contacts"]) == (
        "https://meals.example",
        600,
        ["ops@meals.example"],
    )
    row = EventRecord.objects.get(name="client.updated")
    assert (row.by, row.data["members"]) == (officer.pk, ["client_uri", "contacts", "default_max_age"])
    assert edited(staff, Client.objects.get(pk=client_app.pk), client_uri="", default_max_age="").status_code == 302
    described = registry.describe(Client.objects.get(pk=client_app.pk))
    assert "client_uri" not in described
    assert "default_max_age" not in described


def test_what_the_form_does_not_show_stays(staff):
    """A classic client with members of its own is not flattened by an edit of its name."""
    app, _secret = registry.create(
        {
            "client_name": "Classic",
            "redirect_uris": ["https://c.example/cb"],
            "profile": "oidc",
            "grant_types": ["authorization_code", "implicit"],
            "response_types": ["code id_token"],
            "subject_type": "pairwise",
            "default_acr_values": ["urn:kairos:acr:1fa"],
        }
    )
    before = registry.describe(app)
    assert edited(staff, app, client_name="Classic II").status_code == 302
    assert registry.describe(Client.objects.get(pk=app.pk)) == before | {"client_name": "Classic II"}


def test_two_editors_do_not_overwrite_each_other(staff, client_app):
    page = staff.get(f"{CLIENTS}{client_app.pk}/").context["adminform"].form
    edited(staff, client_app, client_name="Renamed")
    answer = edited(staff, client_app, seen=page["seen"].value(), client_name="Other")
    assert "Somebody changed this app" in text_of(answer)
    assert Client.objects.get(pk=client_app.pk).name == "Renamed"


def test_from_public_to_confidential_shows_the_new_secret(staff):
    added(staff, kind="spa")
    app = Client.objects.get(name="Wiki")
    assert "client-secret" in text_of(edited(staff, app, token_endpoint_auth_method="client_secret_post"))
    assert app.secrets.count() == 1


def test_a_secret_is_rotated_with_an_overlap(staff, officer, client_app):
    address = f"{CLIENTS}{client_app.pk}/secret/"
    assert staff.post(address, {"overlap": "12345"}).status_code == 200
    assert client_app.secrets.count() == 1
    answer = staff.post(address, {"overlap": "3600"})
    assert "no-store" in answer["Cache-Control"]
    old, new = client_app.secrets.order_by("created_at")
    assert new.expires_at is None
    assert timedelta(minutes=59) < old.expires_at - now() <= timedelta(hours=1)
    assert EventRecord.objects.get(name="client.secret_rotated").by == officer.pk


def test_an_app_is_switched_off_and_on(staff, officer, client_app):
    address = f"{CLIENTS}{client_app.pk}/switch/"
    assert "Switch Meal Planner off" in text_of(staff.get(address))
    staff.post(address, {"to": "off"})
    staff.post(address, {"to": "off"})  # an old page changes nothing twice
    assert not Client.objects.get(pk=client_app.pk).enabled
    staff.post(address, {"to": "on"})
    assert Client.objects.get(pk=client_app.pk).enabled
    assert [row.by for row in EventRecord.objects.filter(name="client.updated")] == [officer.pk] * 2


def test_deleting_shows_first_what_breaks(staff, officer, person, client_app):
    agreement.give(user=person, client_id=client_app.client_id, client_name="x", wish=agreement.Wish(frozenset({"openid"})))
    address = f"{CLIENTS}{client_app.pk}/delete/"
    assert "1 person has allowed it" in text_of(staff.get(address))
    assert Client.objects.filter(pk=client_app.pk).exists()
    assert staff.post(address).status_code == 302
    assert not Client.objects.exists()
    assert agreement.granted(person) == []
    assert EventRecord.objects.get(name="client.deleted").by == officer.pk


def test_apps_are_found(staff, full):
    assert "App 1" not in text_of(staff.get(f"{CLIENTS}?q=meals.example"))
    assert "Meal Planner" in text_of(staff.get(f"{CLIENTS}?q=meals.example"))
    public = text_of(staff.get(f"{CLIENTS}?kind=spa"))
    assert "App 1" in public
    assert "App 0" not in public


# People


def test_a_person_is_found_and_disabled_and_enabled(staff, officer, person):
    assert "ada@example.org" in text_of(staff.get(f"{PEOPLE}?q=ada"))
    assert "ada@example.org" in text_of(staff.get(f"{PEOPLE}?q={person.pk}"))
    theirs = browser_of(person)
    assert theirs.get("/account").status_code == 200
    assert "1 session ends" in text_of(staff.get(f"{PEOPLE}{person.pk}/switch/"))
    staff.post(f"{PEOPLE}{person.pk}/switch/", {"to": "off"})
    assert theirs.get("/account").status_code == 302
    assert not User.objects.get(pk=person.pk).is_active
    staff.post(f"{PEOPLE}{person.pk}/switch/", {"to": "on"})
    assert User.objects.get(pk=person.pk).is_active
    assert {row.by for row in EventRecord.objects.filter(name__in=["account.disabled", "account.enabled"])} == {officer.pk}


def test_nobody_disables_themselves(staff, officer):
    staff.post(f"{PEOPLE}{officer.pk}/switch/", {"to": "off"})
    assert User.objects.get(pk=officer.pk).is_active


def test_staff_sign_a_person_out_everywhere(staff, person):
    theirs = browser_of(person)
    staff.post(f"{PEOPLE}{person.pk}/sign-out/")
    assert theirs.get("/account").status_code == 302


def test_lists_leave_as_csv_without_formulas(staff, officer):
    registry.create({"client_name": "=HYPERLINK(1)", "redirect_uris": ["https://a.example/cb"]})
    answer = staff.get(f"{CLIENTS}csv?q=HYPERLINK")
    assert answer["Content-Type"].startswith("text/csv")
    head, row = text_of(answer).splitlines()
    assert head.startswith("client_id,name,profile")
    assert ",'=HYPERLINK(1)," in row
    for address in LISTS[:-1]:
        assert staff.get(f"{address}csv").status_code == 200
        assert staff.get(f"{address}csv?password__startswith=a").status_code == 400
        assert staff.get(f"{address}csv?p=abc").status_code in (200, 400)
    assert officer.password not in text_of(staff.get(f"{PEOPLE}csv"))
    assert staff.get(f"{KEYS}csv").status_code == 404


# Events, refusals, deliveries, keys


def test_events_are_found_by_person_client_and_reference(staff, full, person, client_app):
    agreement.give(user=person, client_id=client_app.client_id, client_name="x", wish=agreement.Wish(frozenset({"email"})))
    for term in (str(person.pk), "ada@example.org", client_app.client_id):
        assert "consent.granted" in re.sub(
            r"<nav.*?</nav>|<details.*?</details>", "", text_of(staff.get(f"{EVENTS}?q={term}")), flags=re.DOTALL
        )
    assert "Nothing matches" in text_of(staff.get(f"{EVENTS}?name=tokens.issued"))
    assert "Nothing matches" not in text_of(staff.get(f"{EVENTS}?name=consent.granted&when=hour"))


def test_the_reference_of_an_error_page_leads_to_the_fix(staff, client_app):
    answer = Browser().get(
        "/authorize",
        {"client_id": client_app.client_id, "redirect_uri": "https://else.example/", "response_type": "code", "scope": "openid"},
    )
    reference = found(r'id="error-reference"[^>]*>([^<]+)<', answer)
    assert reference in text_of(staff.get(f"{REFUSALS}?q={reference.lower()}"))
    page = text_of(staff.get(f"{REFUSALS}{reference}/"))
    assert "RFC 9700 2.1" in page
    assert "https://else.example/" in page
    assert "Register this redirect URI" in page
    assert "Meal Planner" in page


def test_a_dead_message_is_sent_again(staff, officer):
    outbox.enqueue(receiver="mail", payload={"to": "a@example.org"})
    row = Delivery.objects.get()
    assert "Send it again" not in text_of(staff.get(f"{DELIVERIES}{row.pk}/"))
    Delivery.objects.update(state="dead", done_at=now(), last_error="refused")
    assert "could not be delivered" in text_of(staff.get("/staff/"))
    assert "Send it again" in text_of(staff.get(f"{DELIVERIES}{row.pk}/"))
    assert staff.get(f"{DELIVERIES}{row.pk}/retry/").status_code == 405
    staff.post(f"{DELIVERIES}{row.pk}/retry/")
    assert Delivery.objects.get().state == "waiting"
    event = EventRecord.objects.get(name="delivery.retried")
    changes = {"state": {"old": "dead", "new": "waiting"}}
    assert (event.by, event.data) == (officer.pk, {"delivery": str(row.pk), "receiver": "mail", "changes": changes})
    Delivery.objects.update(state="dead", payload="")
    staff.post(f"{DELIVERIES}{row.pk}/retry/")
    assert Delivery.objects.get().state == "dead"


def test_all_dead_messages_are_sent_again(staff):
    for number in range(3):
        outbox.enqueue(receiver="mail", payload={"to": f"{number}@example.org"})
    Delivery.objects.update(state="dead", done_at=now())
    Delivery.objects.filter(pk=Delivery.objects.latest("id").pk).update(expires_at=now() - timedelta(hours=1))
    assert "Send all again" not in text_of(staff.get(DELIVERIES))
    assert "Send all again" in text_of(staff.get(f"{DELIVERIES}?state=dead"))
    assert "3 messages are dead" in text_of(staff.get(f"{DELIVERIES}retry-dead/"))
    assert Delivery.objects.filter(state="dead").count() == 3
    staff.post(f"{DELIVERIES}retry-dead/")
    assert Delivery.objects.filter(state="waiting").count() == 2


def test_keys_are_replaced_and_withdrawn(staff, officer):
    rotation.ensure()
    before = SigningKey.objects.count()
    assert "published now" in text_of(staff.get(f"{KEYS}rotate/"))
    staff.post(f"{KEYS}rotate/")
    assert SigningKey.objects.count() == before * 2
    from django.contrib.admin.utils import quote

    signing = SigningKey.objects.filter(algorithm="RS256").earliest("activates_at")
    assert "now; if it signs" in text_of(staff.get(f"{KEYS}{quote(signing.kid)}/retire/"))
    assert SigningKey.objects.filter(kid=signing.kid).exists()
    staff.post(f"{KEYS}{quote(signing.kid)}/retire/")
    assert not SigningKey.objects.filter(kid=signing.kid).exists()
    assert EventRecord.objects.get(name="key.retired").by == officer.pk
    assert EventRecord.objects.filter(name="key.created", by=officer.pk).count() >= before


def test_the_start_page_says_what_needs_somebody(staff, full):
    page = text_of(staff.get("/staff/"))
    assert "All is well" in page
    Delivery.objects.update(created_at=now() - timedelta(hours=1))
    SigningKey.objects.filter(algorithm="ES256").delete()
    page = text_of(staff.get("/staff/"))
    assert "messages wait" in page
    assert "No key signs ES256" in page
