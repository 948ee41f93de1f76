"""In production the password of a member of staff does not open the staff console."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from idp.accounts.models import User
from tests.support.authenticator import enrol
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.django_db
LOGIN = "/login?again=1&next=%2Fstaff%2F"


@pytest.fixture
def required(monkeypatch):
    monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"staff_second_step": "required"}))


@pytest.fixture
def officer(person):
    User.objects.filter(pk=person.pk).update(is_staff=True)
    return person


def password(client, **more):
    return client.post("/login", {"login": "ada@example.org", "password": PASSWORD, **more})


@pytest.mark.parametrize(
    ("env", "value", "needed"),
    [("production", "", True), ("development", "", False), ("development", "required", True), ("production", "optional", True)],
)
def test_who_decides(env, value, needed):
    assert settings.IDP.model_copy(update={"env": env, "staff_second_step": value}).staff_needs_second_step == needed


def test_who_has_none_is_led_to_set_one_up(required, officer, client):
    password(client)
    for answer in (client.get("/staff/"), client.post("/staff/accounts/user/", {"to": "off"})):
        assert (answer.status_code, answer["Location"]) == (302, "/account/security")
    assert "staff console needs a second step" in client.get("/account/security").content.decode()


def test_who_has_one_proves_it(required, officer, client):
    password(client)
    app = enrol(officer)
    assert client.get("/staff/")["Location"] == LOGIN
    assert password(client, next="/staff/")["Location"] == "/login/second-factor"
    assert client.get("/staff/")["Location"] == LOGIN
    password(client, next="/staff/")
    assert client.post("/login/second-factor", {"code": app.code(), "next": "/staff/"})["Location"] == "/staff/"
    assert client.get("/staff/").status_code == 200


def test_to_others_there_is_still_nothing(required, person, client):
    password(client)
    assert client.get("/staff/").status_code == 404
    assert Client().get("/staff/")["Location"].startswith("/login?next=")


def test_in_development_it_is_optional(officer, client):
    password(client)
    assert client.get("/staff/").status_code == 200
