"""An authenticator app, without a phone: RFC 6238 written down a second time, by the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.mfa import factors
from idp.mfa.models import TotpDevice

if TYPE_CHECKING:
    from idp.accounts.models import User


@dataclass
class App:
    """What a phone holds: the key as it was shown."""

    key: str

    def code(self, seconds: float = 0) -> str:
        """The six digits, so many seconds from now."""
        step = int((time.time() + seconds) // 30)
        mac = hmac.new(base64.b32decode(self.key.replace(" ", "")), struct.pack(">Q", step), hashlib.sha1).digest()
        start = mac[-1] & 15
        return f"{(struct.unpack('>I', mac[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"

    def wrong(self) -> str:
        """Six digits that are not right now, nor near now."""
        near = {self.code(seconds) for seconds in range(-120, 121, 30)}
        return next(f"{number:06d}" for number in range(10) if f"{number:06d}" not in near)


def enrol(user: User, *, name: str = "Phone") -> App:
    """A new app of this person; the code that it shows now is unused."""
    enrolment = factors.begin(user)
    app = App(enrolment.manual_key)
    device = factors.add(user, sealed=enrolment.sealed, code=app.code(), name=name)
    assert device is not None
    TotpDevice.objects.filter(pk=device.pk).update(last_step=-1, drift=0)
    return app
