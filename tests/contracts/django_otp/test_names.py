"""Every name of django-otp that `idp/mfa` leans on: a new release that moves one fails here, not at somebody's sign-in."""

from __future__ import annotations

import inspect

import django_otp
from django_otp import models, oath

from idp.mfa.models import Mailbox, Phone, RecoveryCodes, TotpDevice, WebAuthnKey


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_the_check_that_holds_the_row() -> None:
    assert parameters(django_otp.verify_token) == ["user", "device_id", "token"]
    source = inspect.getsource(django_otp.verify_token)
    assert "transaction.atomic" in source
    assert "for_verify=True" in source
    assert "device.user_id == user.pk" in source, "a factor of somebody else is refused there too"


def test_the_device() -> None:
    assert {field.name for field in models.Device._meta.get_fields()} == {"user", "name", "confirmed"}
    assert models.Device._meta.abstract
    assert parameters(models.Device.verify_token) == ["self", "token"]
    assert parameters(models.Device.verify_is_allowed) == ["self"]
    assert parameters(models.Device.from_persistent_id) == ["persistent_id", "for_verify"]
    assert TotpDevice(pk=7).persistent_id == "idp_mfa.totpdevice/7"


def test_the_throttle() -> None:
    names = {field.name for field in models.ThrottlingMixin._meta.get_fields()}
    assert names == {"throttling_failure_timestamp", "throttling_failure_count"}
    assert parameters(models.ThrottlingMixin.throttle_increment) == ["self", "commit"]
    assert models.VerifyNotAllowed.N_FAILED_ATTEMPTS


def test_our_devices_are_found_by_its_own_enumeration() -> None:
    assert {Mailbox, Phone, RecoveryCodes, TotpDevice, WebAuthnKey} <= set(django_otp.device_classes())


def test_the_arithmetic() -> None:
    totp = oath.TOTP(b"12345678901234567890", step=30, drift=0)
    totp.time = 59  # RFC 6238 Appendix B, the last six of its eight digits
    assert totp.token() == 287082
    assert totp.verify(287082, tolerance=1, min_t=0)
    assert not totp.verify(287082, tolerance=1, min_t=2)
    assert parameters(oath.TOTP.verify) == ["self", "token", "tolerance", "min_t"]
