"""Secrets are compared without telling by the time it takes how much of them was right."""

from __future__ import annotations

import hmac

import pytest

from idp.oidc.pkce import checks
from idp.oidc.protocol.errors import OAuthError
from tests.support.rp import s256


@pytest.mark.parametrize("verifier", ["v" * 43, "u" * 42 + "v"])
def test_a_code_verifier(monkeypatch, verifier):
    """PK-09: nearly right or not at all, it is judged by the comparison that does not stop at the first difference."""
    compared = []
    honest = hmac.compare_digest

    def watched(given, expected):
        compared.append(expected)
        return honest(given, expected)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    with pytest.raises(OAuthError):
        checks.verify(code_challenge=s256("u" * 43), code_verifier=verifier)
    assert compared == [s256("u" * 43)]
