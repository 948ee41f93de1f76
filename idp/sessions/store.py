"""Django's session engine over `BrowserSession`: one row per browser, one write per change, keys stored hashed.

Named in `settings.SESSION_ENGINE`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.db import DatabaseError, OperationalError

from idp.accounts import gate
from idp.kernel import db
from idp.kernel.clock import now
from idp.kernel.ids import digest, secret_token

LAST_SEEN_EVERY = timedelta(minutes=5)  # a session in use is not written on every request


@cache
def _select() -> str:
    from idp.accounts.models import User

    from .models import BrowserSession

    return (
        f"SELECT {db.columns(BrowserSession, 's')}, {db.columns(User, 'u')} FROM op_sessions_browser_session s"  # noqa: S608  constants only
        " LEFT JOIN accounts_user u ON u.id = s.user_id WHERE s.key_digest = %s AND s.expires_at > %s"
    )


class SessionStore(SessionBase):
    """A session whose row also carries the signed-in person (`row.user`, joined: no second query)."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.row: Any = None
        self._looked_up = False
        self._changed: set[str] = set()

    @property
    def browser_session(self) -> Any:
        """The live `BrowserSession` of this cookie, or None. At most one query per request."""
        if not self._looked_up:
            self._looked_up = True
            if self.session_key:
                self.row = self._find(self.session_key)
        return self.row

    def signed_in(self) -> Any:
        """The live `BrowserSession` whose person may be here now, or None."""
        row = self.browser_session
        if row is None or row.user is None or not row.sid:
            return None
        # The one account gate: disabled, locked, changed credentials end the session at its next use.
        return row if gate.refusal(row.user, epoch=row.epoch) is None else None

    def _find(self, key: str) -> Any:
        from idp.accounts.models import User

        from .models import BrowserSession

        moment = now()
        # Plain SQL: this runs in every request of a signed-in browser, and the ORM would cost several times the statement.
        found = db.row(_select(), [digest(key), moment])
        if found is None:
            return None
        width = len(BrowserSession._meta.concrete_fields)
        row = db.instance(BrowserSession, found[:width])
        if row.user_id is not None:
            row.user = db.instance(User, found[width:])
        # Idle and absolute limits are judged at use, not by a cleaner (hostile case BR-17).
        if row.last_seen_at <= moment - timedelta(seconds=settings.IDP.session_idle_seconds):
            return None
        if row.last_seen_at <= moment - LAST_SEEN_EVERY:
            row.last_seen_at = moment
            row.save(update_fields=["last_seen_at"])
        return row

    def load(self) -> dict[str, Any]:
        row = self.browser_session
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row.data) if row.data else {}

    def exists(self, session_key: str) -> bool:
        from .models import BrowserSession

        return BrowserSession.objects.filter(key_digest=digest(session_key)).exists()

    def create(self) -> None:
        self._session_key = secret_token(32)
        self._session_cache: dict[str, Any] = {}
        self.row, self._looked_up = None, True
        self.modified = True

    def cycle_key(self) -> None:
        """A new cookie value for the same row (session fixation); written with the next save."""
        self.keys()  # what it holds moves along, so it must be loaded
        self._looked_up = True  # also where there was no cookie: nothing can be there under the new key
        self._session_key = secret_token(32)
        self.modified = True

    def change_row(self, **values: Any) -> None:
        """Set columns of the row (sid, auth_time, ...); written with the next save, a new row included."""
        if self.browser_session is None:
            self.row = self._new_row()
        for name, value in values.items():
            setattr(self.row, name, value)
        self._changed = {*self._changed, *values}
        self.modified = True

    def _new_row(self) -> Any:
        from .models import BrowserSession

        return BrowserSession(expires_at=now() + timedelta(seconds=settings.IDP.session_absolute_seconds))

    def save(self, must_create: bool = False) -> None:
        encoded = self.encode(dict(self.items()))
        if self.session_key is None:
            self._session_key = secret_token(32)
        if self.row is None:
            self.row, self._looked_up = self._new_row(), True
        self.row.key_digest, self.row.data = digest(self.session_key or ""), encoded
        try:
            if self.row.pk is None:
                self.row.save(force_insert=True)
            else:
                self.row.save(update_fields=[*self._changed, "key_digest", "data"])
        except DatabaseError as error:
            # The row went away meanwhile: the session was ended elsewhere, and must not come back.
            if isinstance(error, OperationalError):
                raise
            raise UpdateError from error
        self._changed = set()

    def delete(self, session_key: str | None = None) -> None:
        from .models import BrowserSession

        key = session_key or self.session_key
        if key:
            BrowserSession.objects.filter(key_digest=digest(key)).delete()
        if self.row is not None and session_key is None:
            BrowserSession.objects.filter(pk=self.row.pk).delete()
        if session_key is None or session_key == self.session_key:
            self.row, self._looked_up = None, True

    @classmethod
    def clear_expired(cls) -> None:
        from . import delete_expired

        while delete_expired():
            pass
