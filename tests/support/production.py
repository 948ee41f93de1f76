"""A complete, random production environment; `python -m tests.support.production manage.py check --deploy` runs a command in it.

The servers that it names need not exist: Django's checks do not connect.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import tempfile


def environment(data_dir: str) -> dict[str, str]:
    """The `IDP_*` variables of a site with nothing left to default."""
    return {
        "IDP_ENV_FILE": os.devnull,
        "IDP_ENV": "production",
        "IDP_ISSUER": "https://id.example.org",
        "IDP_SECRET_KEY": secrets.token_hex(40),
        "IDP_SEALING_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "IDP_DATABASE_URL": "postgresql://idp@localhost:5432/idp",
        "IDP_REDIS_URL": "redis://localhost:6379/0",
        "IDP_EMAIL_URL": "smtp+tls://localhost:587",
        "IDP_DATA_DIR": data_dir,
    }


if __name__ == "__main__":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([sys.executable, *sys.argv[1:]], env=inherited | environment(scratch), check=False)
    sys.exit(done.returncode)
