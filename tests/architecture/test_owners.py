"""A third party has one owner: whoever wants it replaced, or reads its advisory, finds every use in one place."""

import grimp
import pytest

# Package -> the modules that may import it ("name.*" means everything below as well).
OWNERS = {
    "oauth2_provider": ["idp.oidc.dot.*", "idp.oidc.models.client", "idp.oidc.migrations.*"],
    "oauthlib": ["idp.oidc.dot.*"],
    "jwcrypto": ["idp.kernel.jose.*"],
    "allauth": ["idp.accounts.allauth", "idp.federation.allauth"],
    "requests": ["idp.federation.allauth"],
    "django_otp": ["idp.mfa.*"],
    "segno": ["idp.mfa.qr"],
    "phonenumbers": ["idp.accounts.phones"],
    "bcrypt": ["idp.accounts.hashers"],
    "fido2": ["idp.mfa.webauthn.*"],
    "celery": ["idp.celery", "idp.*.tasks", "idp.events.outbox", "idp.notifications.*", "idp.operations.*"],
    "kombu": ["idp.operations.*"],
    "redis": ["idp.kernel.redis", "idp.operations.*"],
    "psycopg": ["idp.kernel.postgresql.*"],
    "httpx": ["idp.kernel.outbound.*", "idp.playground.*"],
    "httpcore": ["idp.kernel.outbound.*"],
    "jsonschema": ["idp.accounts.attributes", "idp.accounts.claims"],
    "maxminddb": ["idp.kernel.places"],
    "idna": ["idp.accounts.emails"],
    "granian": ["idp.operations.*"],
    "structlog": ["idp.settings.logs", "idp.kernel.logs", "idp.celery"],
    "csp": ["idp.settings.security", "idp.kernel.*", "idp.oidc.authorization.*", "idp.consent.*", "idp.playground.*"],
    "argon2": ["idp.accounts.passwords"],
    "whitenoise": [],
    "pydantic": ["idp.settings.*", "idp.operations.*"],
    "pydantic_settings": ["idp.settings.*"],
}
# Used where the need is; each is a foundation rather than a third party with an owner.
EVERYWHERE = {"django", "cryptography"}


def allowed(module: str, owners: list[str]) -> bool:
    for owner in owners:
        if owner.startswith("idp.*."):
            if module.startswith("idp.") and module.endswith(owner.removeprefix("idp.*")):
                return True
        elif owner.endswith(".*"):
            if module == owner[:-2] or module.startswith(owner[:-1]):
                return True
        elif module == owner:
            return True
    return False


def third_parties(graph: grimp.ImportGraph) -> set[str]:
    import sys

    return {module for module in graph.modules if "." not in module and module != "idp" and module not in sys.stdlib_module_names}


@pytest.mark.parametrize("package", sorted(OWNERS))
def test_only_the_owner_imports(graph: grimp.ImportGraph, package: str):
    if package not in graph.modules:
        return
    strangers = sorted(module for module in graph.find_modules_that_directly_import(package) if not allowed(module, OWNERS[package]))
    assert strangers == [], f"{package} belongs to {OWNERS[package]}"


def test_every_third_party_has_an_owner(graph: grimp.ImportGraph):
    assert sorted(third_parties(graph) - set(OWNERS) - EVERYWHERE) == []
