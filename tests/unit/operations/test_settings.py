"""What the settings refuse, beyond secrets: networks, files."""

from __future__ import annotations

import pytest
from django.conf import settings

PROBLEM = {
    "IDP_TRUSTED_PROXIES": ["proxy.example.org", "10.0.0.0/99", "10.0.0.1:80"],
    "IDP_OUTBOUND_ALLOW": ["http://agent.internal/", "agent.internal:port", "10.0.0.0/99", "a b"],
    "IDP_OUTBOUND_CA_FILE": ["/nonexistent/ca.pem"],
}
PROBLEM |= {
    "IDP_PASSKEY_RP_ID": ["Example.org", "com", "https://example.org", "elsewhere.example"],
    "IDP_PASSKEY_ORIGINS": ["www.example.org", "https://example.org/", "https://user@example.org", "ftp://example.org"],
    "IDP_PASSKEY_ATTESTATION": ["required", "preferred"],
    "IDP_PASSKEY_METADATA_FILE": ["/nonexistent/blob.jwt"],
}
PROBLEM |= {"IDP_LOST_FACTOR_HOURS": ["23", "7"]}  # EM-18: a day at least
FINE = {
    "IDP_LOST_FACTOR_HOURS": ["0", "24", "720"],
    "IDP_PASSKEY_RP_ID": ["localhost", ""],
    "IDP_PASSKEY_ORIGINS": ["https://www.example.org, https://example.net:8443", ""],
    "IDP_TRUSTED_PROXIES": ["10.0.0.1", "10.0.0.0/8, fd00::/8", ""],
    "IDP_OUTBOUND_ALLOW": ["agent.internal", "agent.internal:8443", "10.0.0.0/8", "127.0.0.1:8080", "[::1]:8080", "::1", ""],
}


def problems(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> list[str]:
    from importlib import import_module

    monkeypatch.setenv(name, value)
    safety = import_module("idp.settings.safety")
    environment = import_module("idp.settings.environment")
    found: list[str] = safety.problems(safety.with_development_defaults(environment.Environment()), {})
    return found


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in PROBLEM.items() for value in values])
def test_what_cannot_work_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    (found,) = problems(monkeypatch, name, value)
    assert found.startswith(name)
    assert value not in found


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FINE.items() for value in values])
def test_what_can_work_does_not(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert problems(monkeypatch, name, value) == []
    assert settings.IDP.env == "development"


def test_production_does_not_start_with_what_is_for_conformance_runs_only() -> None:
    from importlib import import_module

    safety, environment = import_module("idp.settings.safety"), import_module("idp.settings.environment")
    found = safety.problems(environment.Environment(env="production", pkce_optional=True), {})
    assert any(line.startswith("IDP_PKCE_OPTIONAL") for line in found)
