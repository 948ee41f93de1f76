"""Make, replace and withdraw signing keys."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from idp.events import catalogue, emit
from idp.events.changes import diff
from idp.kernel import generations, jose, sealing
from idp.kernel.clock import now
from idp.oidc.models import SigningKey

from .ring import GENERATION, SEALING_PURPOSE

ALWAYS_PRESENT = ("RS256", "ES256")


def ensure(*algorithms: str) -> list[SigningKey]:
    """Make a key, active at once, for each algorithm that has none; returns those made."""
    made: list[SigningKey] = []
    for algorithm in algorithms or ALWAYS_PRESENT:
        with transaction.atomic():
            if not SigningKey.objects.filter(algorithm=algorithm, retires_at=None).exists():
                made.append(_make(algorithm, publish_first=False))
    return made


def rotate(*algorithms: str, immediately: bool = False, by: UUID | None = None) -> list[SigningKey]:
    """A new key per algorithm (default: all in use): published now, signing once every relying party can have seen it.

    The former key stays published until nothing that it signed is alive. `immediately` signs with the new key at once.
    """
    if not algorithms:
        algorithms = tuple(SigningKey.objects.filter(retires_at=None).order_by().values_list("algorithm", flat=True).distinct())
    made: list[SigningKey] = []
    for algorithm in algorithms or ALWAYS_PRESENT:
        with transaction.atomic():
            key = _make(algorithm, publish_first=not immediately, by=by)
            SigningKey.objects.filter(algorithm=algorithm, retires_at=None).exclude(pk=key.pk).update(retires_at=key.activates_at + grace())
            made.append(key)
    return made


def rotate_due() -> list[SigningKey]:
    """Rotate what is older than the configured number of days; run by schedule."""
    oldest = now() - timedelta(days=settings.IDP.key_rotation_days)
    with transaction.atomic():
        # Two schedulers may run this at once: the second waits here, then finds the keys of the first and has nothing to do.
        old = SigningKey.objects.select_for_update().filter(retires_at=None, activates_at__lt=oldest)
        due = sorted({key.algorithm for key in old})
        return rotate(*due) if due else []


def withdraw(kid: str, *, by: UUID | None = None) -> bool:
    """Emergency: delete a key, so that nothing it signed is believed any more; a new one signs at once. False = unknown kid."""
    with transaction.atomic():
        key = SigningKey.objects.filter(kid=kid).first()
        if key is None:
            return False
        key.delete()
        if not _signing(key.algorithm):
            _make(key.algorithm, publish_first=False, by=by)
        emit(catalogue.KeyRetired(kid=kid, alg=key.algorithm), by=by, changes=diff({"published": True}, {"published": False}))
        generations.bump(GENERATION)
    return True


def grace() -> timedelta:
    """How long a replaced key stays published: the longest life of a token and of a cached key set."""
    return timedelta(seconds=max(settings.IDP.id_token_seconds, 3600) + settings.IDP.jwks_cache_seconds)


def _signing(algorithm: str) -> bool:
    """Whether a key signs now. One that is to be replaced still does, until its successor's hour has come."""
    moment = now()
    return SigningKey.objects.filter(Q(retires_at=None) | Q(retires_at__gt=moment), algorithm=algorithm, activates_at__lte=moment).exists()


def _make(algorithm: str, *, publish_first: bool, by: UUID | None = None) -> SigningKey:
    if not _signing(algorithm):
        publish_first = False  # nothing signs yet: nobody's cached key set can be too old
    private = jose.generate(algorithm)
    public = jose.public_jwk(private, algorithm)
    while public["kid"].startswith("-"):  # `manage.py keys retire KID` would take it for an option
        private = jose.generate(algorithm)
        public = jose.public_jwk(private, algorithm)
    moment = now()
    lead = max(settings.IDP.key_publish_seconds, settings.IDP.jwks_cache_seconds)
    key = SigningKey.objects.create(
        kid=public["kid"],
        algorithm=algorithm,
        public_jwk=public,
        private_sealed=sealing.seal(jose.serialize_private(private), purpose=SEALING_PURPOSE),
        created_at=moment,
        activates_at=moment + timedelta(seconds=lead) if publish_first else moment,
    )
    emit(
        catalogue.KeyCreated(kid=key.kid, alg=algorithm, signs_from=int(key.activates_at.timestamp())),
        by=by,
        changes=diff({}, {"published": True}),
    )
    generations.bump(GENERATION)
    return key
