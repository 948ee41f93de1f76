"""Sessions: a new cookie at each authentication, the place and the device in the log, a mail about a browser that is new; and whose pages these are."""

from __future__ import annotations

# ruff: noqa: F811  (the names of fixtures)
import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pydantic import ValidationError

from idp.accounts import mail, people, profile
from idp.accounts.models import User
from idp.events.models import EventRecord
from idp.kernel import generations
from idp.oidc.clients import metadata, registry
from idp.settings.environment import Environment
from tests.support import places_file
from tests.support.mailbox import mails
from tests.support.world import World, ada, shop, signing_keys  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery staple"


@pytest.fixture
def world(signing_keys):
    yield World("views", settings.IDP.issuer)
    generations.forget()


def configure(monkeypatch, **values):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update=values))


def news():
    return [mail for mail in mails("ada@example.org") if mail.subject.startswith("New sign-in")]


def test_a_mail_tells_of_a_browser_that_is_new_and_of_no_other(world, ada, shop, monkeypatch, tmp_path):
    lisbon = {"city": {"names": {"en": "Lisbon"}}, "country": {"names": {"en": "Portugal"}}}
    configure(monkeypatch, geoip_file=places_file.write(tmp_path / "places.mmdb", {"203.0.113.0/24": lisbon}))
    home = world.browser()
    shop.tokens(home)
    assert news() == []  # the first of all
    abroad = world.browser(ip="203.0.113.5")
    shop.tokens(abroad)
    [told] = news()
    assert "near Lisbon, Portugal" in told.text
    assert "/account/activity/not-me" in told.text
    record = EventRecord.objects.filter(name="sign_in.succeeded").order_by("-id")[0]
    assert record.data["place"] == "Lisbon, Portugal"
    assert record.data["new_browser"] is True
    assert record.ip == "203.0.113.5"
    assert "Lisbon, Portugal" in abroad.get("/account/activity").text
    assert "Lisbon, Portugal" in abroad.get("/account/sessions").text
    # Known browsers are no news, not even after the password was changed.
    people.set_password(User.objects.get(pk=ada.pk), "an entirely new pass phrase")
    shop.tokens(home, password="an entirely new pass phrase")
    assert len(news()) == 1


def test_each_authentication_gives_a_new_cookie(world, ada, shop):
    browser = world.browser()
    shop.tokens(browser)
    name = settings.SESSION_COOKIE_NAME
    before = browser.cookies[name]
    again = browser.get("/login?again=1&next=/account")
    browser.follow(browser.submit(again, button="login-submit", password=PASSWORD))
    assert browser.cookies[name] != before
    browser.cookies[name] = before
    assert "/login" in browser.get("/account").location


def test_mails_are_written_in_the_language_of_the_person(ada, monkeypatch):
    profile.change(ada, {"locale": "de-AT"}, role="person")
    monkeypatch.setattr(mail, "get_supported_language_variant", lambda code: {"de-at": "de"}[code])
    assert mail.language_of("ada@example.org") == "de"
    mail.send(to="ada@example.org", template="password_changed")
    [sent] = mails("ada@example.org")
    assert 'lang="de"' in sent.html
    profile.change(ada, {"locale": "tlh"}, role="person")
    monkeypatch.undo()
    assert mail.language_of("ada@example.org") == ""
    assert mail.language_of("nobody@example.org") == ""


def test_an_app_brings_its_own_colour_and_corners(world, ada):
    green = world.app("Green", brand_colour="#0A7F3F", brand_radius=0)
    plain = world.app("Plain")
    browser = world.browser()
    page = browser.follow(green.ask(browser))
    assert '<link rel="stylesheet" href="/brand/0a7f3f-0.css">' in page.text
    sheet = browser.get("/brand/0a7f3f-0.css")
    assert sheet.header("Content-Type").startswith("text/css")
    assert "immutable" in sheet.header("Cache-Control")
    assert "/brand/" not in world.browser().follow(plain.ask(world.browser())).text
    for wrong in ("ffff00-10", "0a7f3f-99", "0a7f3f", "0A7F3F-0", "x", "0a7f3f-0;"):
        assert browser.get(f"/brand/{wrong}.css").status == 404


def test_a_deployment_brings_its_own_colour_and_logo(world, monkeypatch, tmp_path):
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    assert world.browser().get("/brand/logo").status == 404
    configure(monkeypatch, brand_colour="#0a7f3f", brand_radius=4, brand_logo_file=logo)
    page = world.browser().get("/login").text
    assert "/brand/0a7f3f-4.css" in page
    assert 'src="/brand/logo"' in page
    shown = world.browser().get("/brand/logo")
    assert shown.header("Content-Type") == "image/svg+xml"
    assert "script-src 'none'" in shown.header("Content-Security-Policy")
    mail.send(to="ada@example.org", template="password_changed")
    assert "#0a7f3f" in mails("ada@example.org")[0].html
    other = tmp_path / "logo.html"
    other.write_text("<html>")
    configure(monkeypatch, brand_logo_file=other)
    assert world.browser().get("/brand/logo").status == 404


def test_colours_that_cannot_be_read_are_refused_everywhere(world, monkeypatch):
    monkeypatch.setenv("IDP_BRAND_COLOUR", "#ffff00")
    with pytest.raises(ValidationError, match="too light to be read"):
        Environment()
    with pytest.raises(metadata.InvalidMetadata, match="too light to be read"):
        registry.create({"client_name": "Pale", "redirect_uris": ["https://pale.example/cb"], "brand_colour": "#ffff00"})
    with pytest.raises(CommandError, match="brand_colour"):
        call_command(
            "client", "create", "Pale", "--redirect-uri", "https://pale.example/cb", "--brand-colour", "#eeeeee", stdout=io.StringIO()
        )
    out = io.StringIO()
    call_command(
        "client",
        "create",
        "Green",
        "--redirect-uri",
        "https://g.example/cb",
        "--brand-colour",
        "#0A7F3F",
        "--brand-radius",
        "4",
        "--json",
        stdout=out,
    )
    assert '"brand_colour": "#0a7f3f"' in out.getvalue()
