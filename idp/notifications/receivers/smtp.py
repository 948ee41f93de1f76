"""Django's SMTP backend with one time-out for the whole mail."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.mail.backends import smtp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.mail import EmailMessage


class EmailBackend(smtp.EmailBackend):
    """`timeout` bounds connecting, greeting, TLS, login and sending together.

    smtplib applies it to every single read, so a server that drips one byte every few seconds would hold a worker for as long
    as it likes. Here a timer cuts the socket.
    """

    _socket: socket.socket | None = None
    _cut_short = False

    @property
    def connection_class(self) -> Any:
        return partial(_SMTPoverTLS if self.use_ssl else _SMTP, self)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send, or raise TimeoutError after `timeout` seconds, or what smtplib raises."""
        watch = threading.Timer(self.timeout or 10, self._cut)
        watch.daemon = True
        watch.start()
        try:
            return super().send_messages(email_messages) or 0
        except (smtplib.SMTPException, OSError):
            if self._cut_short:
                raise TimeoutError from None
            raise
        finally:
            self.close()
            watch.cancel()

    def close(self) -> None:
        """Say goodbye; whatever goes wrong now, the server has already taken the mail."""
        with contextlib.suppress(smtplib.SMTPException, OSError):
            super().close()

    def _cut(self) -> None:
        self._cut_short = True
        smtp = self.connection or getattr(self, "_partial_connection", None)
        sock = getattr(smtp, "sock", None) or self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _SMTP(smtplib.SMTP):
    def __init__(self, backend: EmailBackend, *args: Any, **kwargs: Any) -> None:
        self._backend = backend
        super().__init__(*args, **kwargs)

    def _get_socket(self, *args: Any) -> socket.socket:
        # The greeting is read inside the constructor, before the backend has this object: hand the socket over early.
        sock: socket.socket = super()._get_socket(*args)  # type: ignore[misc]
        self._backend._socket = sock
        return sock


class _SMTPoverTLS(_SMTP, smtplib.SMTP_SSL):
    pass
