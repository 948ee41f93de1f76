"""What a database needs before the provider serves: schema, signing keys; in development also somebody to sign in as.

Every function here does nothing, and quickly, when what it makes is there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

DEMO_CLIENT_ID = "demo"
DEMO_EMAIL = "demo@example.org"
DEMO_REDIRECT_URI = "http://127.0.0.1/callback"


@dataclass(frozen=True, slots=True)
class Demo:
    """Whom to sign in as. The password is this installation's own: no two have the same."""

    email: str
    password: str


def ensure_schema(*, verbosity: int = 1) -> int:
    """Apply missing migrations; returns how many there were."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        call_command("migrate", interactive=False, verbosity=verbosity)
    return len(plan)


def ensure_signing_keys() -> list[str]:
    """Make a key for each algorithm that must have one; returns the algorithms of those made."""
    from idp.oidc.keys import rotation

    return [key.algorithm for key in rotation.ensure()]


def ensure_demo_client() -> str:
    """A public native app, for trying an app on this machine; returns its client_id."""
    from idp.oidc.clients import registry
    from idp.oidc.models import Client

    if not Client.objects.filter(client_id=DEMO_CLIENT_ID).exists():
        registry.create({"client_name": "Demo app", "redirect_uris": [DEMO_REDIRECT_URI]}, type="native", client_id=DEMO_CLIENT_ID)
    return DEMO_CLIENT_ID


def ensure_demo_person() -> Demo:
    """A person with a verified address who may use the staff console; the password is kept in the data folder, readable by this account only."""
    from idp.accounts import people, staff
    from idp.accounts.models import User
    from idp.kernel.ids import reference

    path = Path(settings.IDP.data_dir) / "demo.json"
    person = User.objects.filter(email=DEMO_EMAIL).first()
    try:
        demo = Demo(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        demo = None
    if person is not None and demo is not None:
        return demo
    demo = Demo(DEMO_EMAIL, f"{reference()}-{reference()}".lower())
    if person is None:
        claims = {"name": "Dana Demo", "given_name": "Dana", "family_name": "Demo", "locale": "en"}
        person = people.create(email=demo.email, method="command", password=demo.password, verified=True, claims=claims)
        staff.grant(person)
    else:
        people.set_password(person, demo.password)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(demo)), "utf-8")
    return demo
