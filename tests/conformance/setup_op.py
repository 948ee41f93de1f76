"""Create on a provider what the static-client plans need: three clients and a person who has every standard claim.

Runs `manage.py` with the environment it is given, so point `IDP_*` at the provider under test. Each call adds new clients and a new
person, and overwrites the output file, which `run.py --clients` reads. That file holds secrets: it is made readable by its owner only.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MANAGE = HERE.parent.parent / "manage.py"
SCOPE = "openid profile email address phone offline_access"
AUTH_METHODS = {"client": "client_secret_basic", "client2": "client_secret_basic", "client_secret_post": "client_secret_post"}


def main(arguments: list[str] | None = None) -> int:
    """Create the clients and the person, and write what `run.py` has to know; returns the exit code."""
    options = _parser().parse_args(arguments)
    base = f"{options.suite.rstrip('/')}/test/a/{options.alias}"
    try:
        result: dict[str, Any] = {name: _client(name, method=method, base=base) for name, method in AUTH_METHODS.items()}
        result["person"] = _person()
    except (RuntimeError, KeyError, ValueError) as error:
        print(f"setup_op: {error}", file=sys.stderr)
        return 2
    _write(options.out, result)
    print(f"wrote {options.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--suite", default="https://suite.test:8443", metavar="URL", help="base URL of the suite (default: %(default)s)")
    parser.add_argument("--alias", default="kairos-id", help="part of the suite's redirect URIs (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=MANAGE.parent / ".data" / "conformance.json", metavar="FILE", help="default: %(default)s"
    )
    return parser


def _client(name: str, *, method: str, base: str) -> dict[str, str]:
    """Create one confidential client for the suite's addresses below `base`; returns its id and secret."""
    created = _manage(
        *("client", "create", f"Conformance {name}", "--type", "web", "--profile", "oidc", "--auth-method", method, "--scope", SCOPE),
        *("--redirect-uri", f"{base}/callback", "--post-logout-redirect-uri", f"{base}/post_logout_redirect", "--json"),
    )
    return {key: created[key] for key in ("client_id", "client_secret")}


def _person() -> dict[str, str]:
    """Create a person with all claims of `person.json`; returns their login name and password."""
    login, password = f"conformance-{secrets.token_hex(4)}@example.test", secrets.token_urlsafe(18)
    claims = str(HERE / "person.json")
    _manage("user", "create", "--email", login, "--password-stdin", "--verified", "--claims", claims, "--json", stdin=f"{password}\n")
    return {"login": login, "password": password}


def _manage(*arguments: str, stdin: str = "") -> dict[str, Any]:
    """Run a management command and read the JSON it answers; raises `RuntimeError` with its last words if it fails."""
    done = subprocess.run(
        [sys.executable, str(MANAGE), *arguments], input=stdin, capture_output=True, text=True, check=False
    )  # our own program
    if done.returncode != 0:
        raise RuntimeError(f"manage.py {' '.join(arguments[:2])} failed: {done.stderr.strip()[-600:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
