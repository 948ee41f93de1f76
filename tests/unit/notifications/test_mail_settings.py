"""`IDP_EMAIL_URL` to Django's settings."""

from __future__ import annotations

import pytest

from idp.settings.background import mail_settings


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "password", "starttls", "tls"),
    [
        ("smtp://localhost", "localhost", 25, "", "", False, False),
        ("smtp://127.0.0.1:1025", "127.0.0.1", 1025, "", "", False, False),
        ("smtp+tls://user:pass@mail.example.org", "mail.example.org", 587, "user", "pass", True, False),
        ("smtps://no-reply%40example.org:p%40ss%2F%3A@mail.example.org:4650", "mail.example.org", 4650, "no-reply@example.org", "p@ss/:", False, True),
        ("smtp://[::1]:25", "::1", 25, "", "", False, False),
    ],
)  # fmt: skip
def test_smtp(url: str, host: str, port: int, user: str, password: str, starttls: bool, tls: bool) -> None:
    assert mail_settings(url) == {
        "EMAIL_BACKEND": "idp.notifications.receivers.smtp.EmailBackend",
        "EMAIL_HOST": host,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": user,
        "EMAIL_HOST_PASSWORD": password,
        "EMAIL_USE_TLS": starttls,
        "EMAIL_USE_SSL": tls,
    }


def test_inbox() -> None:
    assert mail_settings("inbox:") == {"EMAIL_BACKEND": "idp.notifications.receivers.inbox.EmailBackend"}


@pytest.mark.parametrize("url", ["http://user:canary@host", "smtp:", "smtp://", "mail.example.org", "smtp://user:canary@"])
def test_anything_else_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="IDP_EMAIL_URL must be") as refusal:
        mail_settings(url)
    assert "canary" not in str(refusal.value)
