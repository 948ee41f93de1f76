"""The mail or text message that carries a code, by what the code is for; and what is said instead where there is nobody to send one to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _

from idp.events import emit
from idp.events.catalogue import AccountRecoveryRequested

from . import mail, sms
from .addresses import is_phone

if TYPE_CHECKING:
    from .models import AddressProof


def send(proof: AddressProof, *, code: str, link: str, minutes: int) -> None:
    """Send `code`, and in a mail `link` (the token of a magic link), to the address of `proof`."""
    if is_phone(proof.address):
        _send_text(proof, code=code, minutes=minutes)
    elif proof.purpose == proof.Purpose.RECOVERY:
        _send_recovery(proof, code=code, minutes=minutes)
    elif proof.decoy and proof.purpose == proof.Purpose.CODE:
        mail.send(to=proof.address, template="sign_in_unknown", expires_at=proof.expires_at)
    elif proof.decoy:
        mail.send(to=proof.address, template="already_registered", expires_at=proof.expires_at)
    elif proof.purpose == proof.Purpose.CODE and link:
        url = f"{settings.IDP.issuer}/login/code?link={link}"
        mail.send(to=proof.address, template="sign_in_link", expires_at=proof.expires_at, code=code, link=url, minutes=minutes)
    else:
        path = "/login/code" if proof.purpose == proof.Purpose.CODE else "/signup/verify"
        url = f"{settings.IDP.issuer}{path}?code={code}"
        mail.send(to=proof.address, template="verify_code", expires_at=proof.expires_at, code=code, link=url, minutes=minutes)


def _send_text(proof: AddressProof, *, code: str, minutes: int) -> None:
    person = proof.user_id
    if proof.decoy and proof.purpose == proof.Purpose.SIGN_UP:
        text = _("There is already an account at %(brand)s with this number. To sign in: %(url)s")
        sms.send(
            to=proof.address,
            text=text % {"brand": settings.IDP.brand_name, "url": f"{settings.IDP.issuer}/login"},
            expires_at=proof.expires_at,
            person=person,
        )
        return
    if proof.purpose == proof.Purpose.RECOVERY and proof.user is not None:
        emit(AccountRecoveryRequested(), person=person)
    sms.send_code(to=proof.address, code=code, minutes=minutes, expires_at=proof.expires_at, person=person, decoy=proof.decoy)


def _send_recovery(proof: AddressProof, *, code: str, minutes: int) -> None:
    from . import recovery

    if proof.user is None:
        mail.send(to=proof.address, template="recovery_unknown", expires_at=proof.expires_at)
        return
    emit(AccountRecoveryRequested(), person=proof.user.pk)
    # EM-13: to the stored address, not to what was typed; they are the same by now.
    link = f"{settings.IDP.issuer}/password/reset?token={recovery.token_for(proof.user)}"
    mail.send(to=proof.address, template="recovery", expires_at=proof.expires_at, code=code, link=link, minutes=minutes)
