"""People, the counters that stop guessing, and the codes on their way to an address."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils.crypto import salted_hmac

from idp.kernel.clock import now

from .emails import canonical_email
from .hashers import is_foreign
from .passwords import normalise


class UserManager(BaseUserManager["User"]):
    def create_user(self, *, email: str | None, password: str | None = None, **extra: Any) -> User:
        """Save a new person; no password means one that can never match (hostile case PW-16). Raises ValidationError for a bad address."""
        user = self.model(email=canonical_email(email) if email else None, **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=username)


class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # the engine names the relation from Client to User
    """A person. The primary key is the OIDC `sub`: made once, never changed, never reused.

    `email` is canonical (see `emails.canonical_email`), `phone` is in E.164 form (see `phones.canonical_phone`), and both are
    therefore unique whatever the spelling. `claims` holds the OIDC standard
    claims other than `sub`, `email` and the number of `phone`. An account that somebody made themselves and never verified is gone after
    `unverified_until`. Sessions and refresh families carry a copy of `credential_epoch` and die when it differs.
    `erase_at` is set while somebody who asked to be deleted may still change their mind. `short_password`: only a second factor made its
    length enough; without one a longer one is asked for at the next sign-in.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    password = models.CharField(max_length=256)
    short_password = models.BooleanField(default=False, editable=False)
    email = models.EmailField(null=True, blank=True, unique=True)
    email_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    phone = models.CharField(max_length=16, null=True, blank=True, unique=True)
    phone_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    claims = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)
    terms_version = models.CharField(max_length=40, blank=True, default="", editable=False)
    terms_accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    unverified_until = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    credential_epoch = models.PositiveIntegerField(default=0, editable=False)
    erase_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)

    # The session row and the event log know when somebody signed in; a third write per sign-in would only repeat it.
    last_login = None

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    def __str__(self) -> str:
        return self.email or self.phone or str(self.id)

    @property
    def email_verified(self) -> bool:
        """Whether this person has proved to read mail at `email`."""
        return self.email_verified_at is not None

    @property
    def phone_verified(self) -> bool:
        """Whether this person has proved to get messages at `phone`."""
        return self.phone_verified_at is not None

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(None if raw_password is None else normalise(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        """Whether this is the password; a hash that is not as we make them now is made anew (of ours: after a change of cost; imported)."""
        if raw_password is None:
            return False
        if check_password(normalise(raw_password), self.password, setter=self._rehash):
            return True
        # Whoever hashed it elsewhere may not have normalised it.
        foreign = is_foreign(self.password) and normalise(raw_password) != raw_password
        return foreign and check_password(raw_password, self.password, setter=self._rehash)

    def _rehash(self, raw_password: str) -> None:
        # Only what was checked is replaced: a password that was changed meanwhile stays.
        made = make_password(normalise(raw_password))
        if User.objects.filter(pk=self.pk, password=self.password).update(password=made):
            self.password = made

    def get_session_auth_hash(self) -> str:
        """Bound to the credential epoch, not to the stored hash: a rehash with new parameters must not end anybody's session."""
        return self._epoch_hash()

    def get_session_auth_fallback_hash(self) -> Any:
        from django.conf import settings

        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._epoch_hash(secret=secret)

    def _epoch_hash(self, secret: str | None = None) -> str:
        return salted_hmac("idp.accounts.session", f"{self.pk}:{self.credential_epoch}", secret=secret, algorithm="sha256").hexdigest()


class GuessCounter(models.Model):
    """Wrong passwords in a row for one person, one unknown identifier, or one known browser of a person.

    The key is an HMAC: the table tells nobody which identifiers were tried. See `lockout`.
    """

    key = models.BinaryField(primary_key=True, max_length=32)
    failures = models.PositiveSmallIntegerField()
    last_at = models.DateTimeField(db_index=True)
    locked_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.failures} wrong"


class Invitation(models.Model):
    """The right to create one account, for whoever holds the link; `address` binds it to one e-mail address or number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.BinaryField(max_length=32, unique=True)
    address = models.CharField(max_length=254, blank=True, default="")
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class AddressProof(models.Model):
    """A code on its way to an e-mail address or a phone, and what becomes true when it comes back.

    For a sign-up the person does not exist yet: the password waits here, hashed, so nobody can squat on an address that is not theirs
    (hostile cases PW-17, PW-18). `decoy` is the same row for an address that is taken, or that nobody has: it looks alike and no code fits.
    `link` is what the link in the mail holds where that alone signs in.
    """

    class Purpose(models.TextChoices):
        SIGN_UP = "sign_up"
        SIGN_IN = "sign_in"  # the password was right, the address is not proved yet
        CODE = "code"  # the code instead of a password
        RECOVERY = "recovery"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(max_length=16, choices=Purpose)
    address = models.CharField(max_length=254)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    invitation = models.ForeignKey(Invitation, null=True, on_delete=models.CASCADE, related_name="+")
    terms_version = models.CharField(max_length=40, blank=True, default="")
    password = models.CharField(max_length=256, blank=True)
    code = models.BinaryField(max_length=32)
    link = models.BinaryField(max_length=32, null=True)
    epoch = models.PositiveIntegerField(default=0)
    decoy = models.BooleanField(default=False)
    tries = models.PositiveSmallIntegerField(default=0)
    sent = models.PositiveSmallIntegerField(default=1)
    sent_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.purpose} {self.id}"


class AddressChange(models.Model):
    """A new e-mail address or phone number on its way into an account, and the way back.

    Until its code comes back the former address works. A `decoy` is the same row for an address that somebody else has (hostile case
    PW-04). Afterwards `undo` lets whoever reads the former address take it back until `undo_until`.
    """

    class Kind(models.TextChoices):
        EMAIL = "email"
        PHONE = "phone"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind)
    address = models.CharField(max_length=254)
    former = models.CharField(max_length=254, blank=True, default="")
    code = models.BinaryField(max_length=32)
    decoy = models.BooleanField(default=False)
    epoch = models.PositiveIntegerField()
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(db_index=True)
    done_at = models.DateTimeField(null=True)
    undo = models.BinaryField(max_length=32, null=True, unique=True)
    undo_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Tombstone(models.Model):
    """The `sub` of somebody who was erased: nothing else is kept, and nobody gets it again."""

    sub = models.UUIDField(primary_key=True, editable=False)
    erased_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return str(self.sub)
