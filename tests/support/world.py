"""A provider in this process with an app and a person, behind either door. Fixtures for tests/protocol, tests/security, tests/races."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

from idp.kernel import generations
from idp.oidc.clients import registry
from idp.oidc.doors.wsgi import door
from idp.oidc.explain import record
from idp.oidc.keys import ring, rotation
from idp.oidc.models import SigningKey

from .browser import Browser, through_wsgi
from .factories import make_person
from .rp import RelyingParty

if TYPE_CHECKING:
    from idp.accounts.models import User

CALLBACK = "https://shop.example/cb"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_django = None
_keys: list[dict[str, Any]] = []


def application(door_name: str) -> Callable[..., Any]:
    """`views`: Django's handler alone. `thin`: the door before it, as served."""
    global _django
    _django = _django or WSGIHandler()
    return _django if door_name == "views" else door(_django)


@dataclass
class World:
    """The provider, as apps and browsers reach it. Everything after set-up is HTTP."""

    door: str
    issuer: str

    def browser(self, *, ip: str = "127.0.0.1") -> Browser:
        """A fresh browser without cookies."""
        return Browser(through_wsgi(application(self.door), origin=self.issuer, ip=ip), origin=self.issuer)

    def app(
        self, name: str = "Shop", *, type: str = "web", scope: str = "openid", registered_scope: str | None = None, **metadata: Any
    ) -> RelyingParty:
        """Register an app (RFC 7591 members; `registered_scope` is `scope` there); it asks for `scope` unless told otherwise."""
        if registered_scope is not None:
            metadata["scope"] = registered_scope
        if type != "service":
            metadata.setdefault("redirect_uris", [CALLBACK])
        client, secret = registry.create({"client_name": name, **metadata}, type=type)
        registration = {**registry.describe(client), "client_secret": secret}
        uris = registration["redirect_uris"]
        return RelyingParty(registration, self.browser(), redirect_uri=uris[0] if uris else "", scope=scope)

    def person(self, email: str = "ada@example.org", *, claims: dict[str, Any] | None = None) -> User:
        """Somebody with a verified address."""
        user = make_person(email=email)
        if claims:
            user.claims = claims
            user.save(update_fields=["claims"])
        return user


@pytest.fixture
def signing_keys(db: None) -> None:
    """An RS256 and an ES256 key. Made once per process, because an RSA key takes long to find."""
    generations.forget()
    record._bucket._level = record.BURST  # every refusal of a test is kept, however many the tests before it made
    if not _keys:
        rotation.ensure()
        # Long active, whatever the clock of the test that happens to come first says.
        SigningKey.objects.update(created_at=LONG_AGO, activates_at=LONG_AGO)
        generations.bump(ring.GENERATION)
        _keys.extend(dict(values) for values in SigningKey.objects.values())
        return
    SigningKey.objects.all().delete()
    SigningKey.objects.bulk_create(SigningKey(**values) for values in _keys)
    generations.bump(ring.GENERATION)


@pytest.fixture(params=["views", "thin"])
def world(request: pytest.FixtureRequest, signing_keys: None) -> Iterator[World]:
    """The provider behind each of its doors."""
    yield World(request.param, settings.IDP.issuer)
    generations.forget()


@pytest.fixture
def shop(world: World) -> RelyingParty:
    """A confidential app with every standard scope, one redirect URI, PKCE required (profile oauth21)."""
    return world.app()


@pytest.fixture
def ada(world: World) -> User:
    """ada@example.org."""
    return world.person()


@pytest.fixture
def browser(world: World) -> Browser:
    """Nobody is signed in."""
    return world.browser()


@pytest.fixture
def signed_in(world: World, ada: User, shop: RelyingParty) -> Browser:
    """Ada is signed in and has agreed to the shop's `openid`."""
    browser = world.browser()
    shop.code(browser)
    return browser
