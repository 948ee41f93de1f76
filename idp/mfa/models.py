"""What a person can prove themselves with beside the password, and how guessing at it is slowed."""

from __future__ import annotations

import hmac
import math
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.crypto import salted_hmac
from django_otp.models import Device, ThrottlingMixin, VerifyNotAllowed
from django_otp.oath import TOTP

from idp.events import emit
from idp.events.catalogue import FactorDisabled, FactorLocked
from idp.kernel import clock, sealing

from . import notices

FREE_TRIES = 4  # wrong codes in a row after which one waits 1, 2, 4 and 8 seconds; the fifth closes the factor for LOCK
LOCK = timedelta(minutes=15)
MOST_FAILURES = 100  # in a row, then the factor is off until another one succeeds (NIST SP 800-63B-4 3.2.2)
STEP = 30  # seconds, RFC 6238 5.2
TOLERANCE = 1  # steps before and after (RFC 6238 5.2, hostile case MF-04)
MOST_DRIFT = 2  # steps by which a clock that goes wrong may be followed: two minutes and a half at the very most with the tolerance


class Factor(ThrottlingMixin, Device):
    """One thing that a person holds. Check it through `verification` only: django-otp locks the row around the check."""

    kind: str  # "totp", "webauthn", "sms", "email", "recovery"
    can_be_worn_out = True  # whether MOST_FAILURES switch it off
    created_at = models.DateTimeField(default=clock.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.persistent_id  # never the name of the person (django-otp's own would ask for it with a query)

    def get_throttle_factor(self) -> int:
        return 1

    def wait(self) -> int:
        """For how many seconds this factor is not looked at; 0 = now."""
        failures, since = self.throttling_failure_count, self.throttling_failure_timestamp
        if not failures or since is None:
            return 0
        required = timedelta(seconds=2 ** (failures - 1)) if failures <= FREE_TRIES else LOCK
        return max(0, math.ceil((since + required - clock.now()).total_seconds()))

    def verify_is_allowed(self) -> tuple[bool, dict[str, Any] | None]:
        """django-otp's question. Its own back-off has no ceiling: whoever knows the password could lock the owner out for days."""
        if self.disabled_at is not None:
            return False, {"error_message": "disabled"}
        wait = self.wait()
        if not wait:
            return True, None
        return False, {"reason": VerifyNotAllowed.N_FAILED_ATTEMPTS, "failure_count": self.throttling_failure_count, "wait": wait}

    def verify_token(self, token: str) -> bool:
        """Inside `django_otp.verify_token`, which holds the row. One code, once."""
        if not self.verify_is_allowed()[0]:
            return False
        if self.accept(token):
            type(self).objects.filter(pk=self.pk).update(
                throttling_failure_count=0, throttling_failure_timestamp=None, last_used_at=clock.now()
            )
            return True
        self._failed()
        return False

    def fits(self, token: str) -> bool:
        """Whether the code is right now. Changes nothing; ask only a factor that may be looked at, and then have it verified."""
        raise NotImplementedError

    def accept(self, token: str) -> bool:
        """Whether the code is right, and spend it: two callers with one code get one True."""
        raise NotImplementedError

    def _failed(self) -> None:
        self.throttle_increment(commit=False)
        values: dict[str, Any] = {
            "throttling_failure_count": self.throttling_failure_count,
            "throttling_failure_timestamp": self.throttling_failure_timestamp,
        }
        if self.throttling_failure_count >= MOST_FAILURES and self.can_be_worn_out:
            values["disabled_at"] = self.disabled_at = clock.now()
            emit(FactorDisabled(kind=self.kind, factor=self.persistent_id), person=self.user_id)
            notices.tell(self.user, "disabled", kind=self.kind, named=self.name)
        elif self.throttling_failure_count == FREE_TRIES + 1:
            # Whoever comes so far knows the password (hostile case MF-02): the owner hears of it, once per row of failures.
            emit(FactorLocked(kind=self.kind, factor=self.persistent_id, seconds=int(LOCK.total_seconds())), person=self.user_id)
            notices.tell(self.user, "guessed", kind=self.kind, named=self.name)
        type(self).objects.filter(pk=self.pk).update(**values)


class TotpDevice(Factor):
    """An authenticator app (RFC 6238: SHA-1, six digits, thirty seconds: what every app understands)."""

    kind = "totp"
    sealed_secret = models.TextField()
    last_step = models.BigIntegerField(default=-1)  # the step of the last code that was accepted: an older one never is (RFC 6238 5.2)
    drift = models.SmallIntegerField(default=0)  # steps by which the app's clock is off, learned at each use

    def fits(self, token: str) -> bool:
        return self._step_of(token) is not None

    def accept(self, token: str) -> bool:
        found = self._step_of(token)
        if found is None:
            return False
        step, drift = found
        # Compare-and-set beside the row lock: SQLite has none.
        unused = TotpDevice.objects.filter(pk=self.pk, last_step__lt=step)
        return unused.update(last_step=step, drift=max(-MOST_DRIFT, min(MOST_DRIFT, drift))) == 1

    def _step_of(self, token: str) -> tuple[int, int] | None:
        if len(token) != 6 or not token.isascii() or not token.isdigit():
            return None
        return step_of(open_secret(self.user_id, self.sealed_secret), token, drift=self.drift, after=self.last_step)


class WebAuthnKey(Factor):
    """A passkey or security key. It signs; there is no code that could be typed.

    `verified`: it has asked for PIN, finger or face, at registration or beside another factor since; only then it lets anybody in alone.
    """

    kind = "webauthn"
    credential_id = models.BinaryField(max_length=1023, unique=True)
    credential_data = models.BinaryField()
    sign_count = models.BigIntegerField(default=0)
    aaguid = models.CharField(max_length=36)
    transports = models.JSONField(default=list)
    discoverable = models.BooleanField()  # asked for as a passkey: found by the browser without the person's name
    verified = models.BooleanField()
    backup_eligible = models.BooleanField()
    backed_up = models.BooleanField()
    attested = models.BooleanField(default=False)  # its make was proved (IDP_PASSKEY_ATTESTATION)

    def verify_token(self, token: str) -> bool:
        return False

    @property
    def signs_in_alone(self) -> bool:
        """Whether it lets its owner in without anything else."""
        return self.discoverable and self.verified and self.disabled_at is None


class UserHandle(models.Model):
    """What authenticators know a person by; `not_before`: until then no passkey is offered to them after signing in."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    handle = models.BinaryField(max_length=32, unique=True)
    not_before = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"handle of {self.user_id}"


class SpentChallenge(models.Model):
    """A WebAuthn challenge that was answered: never again."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return "spent"


class RecoveryCodes(Factor):
    """A person's sheet of recovery codes; making a new one ends the former."""

    kind = "recovery"

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user"], name="one_sheet_of_recovery_codes")]

    def accept(self, token: str) -> bool:
        wanted = [recovery_digest(self.user_id, token, secret=secret) for secret in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]]
        fits = [
            row.pk
            for row in RecoveryCode.objects.filter(sheet=self, used_at=None)
            if any(hmac.compare_digest(bytes(row.digest), digest) for digest in wanted)
        ]
        return bool(fits) and RecoveryCode.objects.filter(pk=fits[0], used_at=None).update(used_at=clock.now()) == 1

    def left(self) -> int:
        """How many codes are unused."""
        return RecoveryCode.objects.filter(sheet=self, used_at=None).count()


class RecoveryCode(models.Model):
    """One code, as HMAC-SHA-256 under the secret key: 49 random bits that were only hashed could be found again from a stolen table."""

    sheet = models.ForeignKey(RecoveryCodes, on_delete=models.CASCADE, related_name="codes")
    digest = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"code {self.pk}"


def recovery_digest(person: Any, code: str, *, secret: str | None = None) -> bytes:
    """How a recovery code is stored: bound to its person."""
    return salted_hmac("idp.mfa.recovery", f"{person}:{code}", secret=secret, algorithm="sha256").digest()


def seal_secret(person: Any, secret: bytes) -> str:
    """A TOTP secret for the database: bound to its person, so that a moved row opens nothing."""
    return sealing.seal(secret, purpose=f"idp.mfa.totp:{person}")


def open_secret(person: Any, sealed: str) -> bytes:
    """The secret again. Raises SealBroken."""
    return sealing.unseal(sealed, purpose=f"idp.mfa.totp:{person}")


def step_of(secret: bytes, token: str, *, drift: int = 0, after: int = -1) -> tuple[int, int] | None:
    """The time step (and the clock's drift, in steps) for which `token` is right, later than the step `after`; None = for no step near now."""
    totp = TOTP(secret, step=STEP, drift=drift)
    totp.time = clock.now().timestamp()
    if not totp.verify(int(token), tolerance=TOLERANCE, min_t=after + 1):
        return None
    return totp.t(), totp.drift


class SentCode(Factor):
    """Six digits that were sent, for `LIFE`; a new one ends the former, and using it spends it. The code itself is kept nowhere."""

    LIFE = timedelta(minutes=10)
    digest = models.BinaryField(max_length=32, null=True, editable=False)
    until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def destination(self) -> str:
        """Where codes go: kept here, never taken from a form (hostile case MF-08)."""
        raise NotImplementedError

    def fits(self, token: str) -> bool:
        if self.digest is None or self.until is None or self.until <= clock.now():
            return False
        wanted = [sent_code_digest(self, token, secret=secret) for secret in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]]
        return any(hmac.compare_digest(bytes(self.digest), digest) for digest in wanted)

    def accept(self, token: str) -> bool:
        if not self.fits(token):
            return False
        unused = type(self)._default_manager.filter(pk=self.pk, digest=self.digest, until__gt=clock.now())
        return unused.update(digest=None, until=None) == 1


class Phone(SentCode):
    """A phone that gets codes by text message: the weakest factor, for people who have no other."""

    kind = "sms"
    number = models.CharField(max_length=16)  # E.164

    class Meta:
        default_related_name = "second_step_phones"  # the person's own number is called `phone`

    @property
    def destination(self) -> str:
        return self.number


class Mailbox(SentCode):
    """Codes to the account's own address: "confirm it's you", no factor (NIST SP 800-63B-4 3.1.3.1)."""

    kind = "email"
    can_be_worn_out = False  # no other factor could switch it on again, and each code is new and short-lived

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user"], name="one_mailbox_for_codes")]

    @property
    def destination(self) -> str:
        return self.user.email or ""


def sent_code_digest(factor: SentCode, code: str, *, secret: str | None = None) -> bytes:
    """How a sent code is stored: bound to its row and to where it went. Six digits are no secret at rest without a key from outside."""
    text = f"{factor.kind}:{factor.pk}:{factor.destination}:{code}"
    return salted_hmac("idp.mfa.sent_code", text, secret=secret, algorithm="sha256").digest()


class TrustedBrowser(models.Model):
    """A browser in which its owner is not asked for the second step, for a while. It proves nothing: the level stays that of the password.

    The cookie's value is stored as its SHA-256. `epoch` is the person's credential epoch: a new password ends it.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32, editable=False)
    epoch = models.PositiveIntegerField()
    ip = models.CharField(max_length=45, blank=True, default="")
    user_agent = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now)
    last_used_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_trust_per_browser")]

    def __str__(self) -> str:
        return f"trusted browser {self.pk}"

    @property
    def reference(self) -> str:
        """How sessions that passed by it name it."""
        return f"idp_mfa.trustedbrowser/{self.pk}"


class EnrolmentGrace(models.Model):
    """When the policy first asked somebody for a second step that they do not have: from then on the grace period runs."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    began_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return f"grace of {self.user_id}"


class ResetRequest(models.Model):
    """Somebody lost their factors: who asks for the reset and why, who decided. Kept after the reset, as its record."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        DECLINED = "declined"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    source = models.CharField(max_length=10)  # "staff", "command" or "person"
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField(null=True)  # only for what a person asks for themselves: not before
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=models.Q(state="waiting"), name="one_waiting_reset_per_person"),
        ]

    def __str__(self) -> str:
        return f"reset {self.pk}"
