"""Prints `.env.example` with random secrets filled in, for a trial with docker compose or a build. Standard library only.

    python3 deploy/make_env.py --issuer https://localhost:8443 > .env

It is a script, not a `manage.py` command, because no command can start before there are settings.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import sys
from pathlib import Path


def filled(example: str, *, issuer: str) -> str:
    """The example with a value for each empty variable. The host names are those of docker-compose.yml."""
    database, redis = secrets.token_hex(24), secrets.token_hex(24)
    values = {
        "IDP_ISSUER": issuer,
        "IDP_SECRET_KEY": secrets.token_urlsafe(60),
        "IDP_SEALING_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "POSTGRES_PASSWORD": database,
        "REDIS_PASSWORD": redis,
        "IDP_DATABASE_URL": f"postgresql://kairos:{database}@postgres:5432/kairos",
        "IDP_REDIS_URL": f"redis://:{redis}@redis:6379/0",
        "IDP_EMAIL_URL": "smtp://mailpit:1025",
        "IDP_EMAIL_FROM": "Kairos ID <no-reply@example.org>",
        "IDP_TRUSTED_PROXIES": "172.30.77.0/24",
    }
    lines = []
    for line in example.splitlines():
        name, equals, value = line.partition("=")
        lines.append(f"{name}={values[name]}" if equals and not value and name in values else line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issuer", default="https://localhost:8443", help="public origin (default: %(default)s)")
    parser.add_argument("--example", type=Path, default=Path(__file__).resolve().parent.parent / ".env.example", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.stdout.write(filled(arguments.example.read_text("utf-8"), issuer=arguments.issuer))
