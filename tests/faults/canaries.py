"""RC-18: a canary in every secret place, everything at level DEBUG, things that fail; then every place is searched where none may be."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import redis as redis_client

from tests.faults.once import NEW_PASSWORD, PASSWORD, Hands
from tests.faults.site import AGENT_SECRET, CANARY, Site

GATEWAY_PASSWORD, PUSH_HEADER = f"{CANARY}-gateway", f"Bearer {CANARY}-push-header"
# Nobody listens there: what fails is what tempts to write the address down.
ENVIRON = {"IDP_SMS_URL": f"http://kairos:{GATEWAY_PASSWORD}@127.0.0.1:9/send"}
TYPED_WRONG = f"{CANARY} mistyped"


class Listener(threading.Thread):
    """Everything that is ever said to Redis: cached values, wake-ups, tasks."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[str] = []
        self.client = redis_client.Redis.from_url(url)
        self.start()

    def run(self) -> None:
        with self.client.monitor() as monitor:
            try:
                for command in monitor.listen():
                    self.heard.append(str(command["command"]))
            except (OSError, ValueError, redis_client.RedisError):
                return


def search(here: Site) -> dict[str, Any]:
    """Use everything that has a secret, then look for all of them."""
    listener = Listener(here.redis_url)
    with ExitStack() as stack:
        secrets, personal = live(here, Hands(here, stack))
    here.drained(seconds=120, hurry=True)
    client = redis_client.Redis.from_url(here.redis_url)
    heard = "\n".join(listener.heard)
    kept = b"".join(client.dump(key) or b"" for key in client.scan_iter())
    names = [row[0] for row in here.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    tables = {name: "\n".join(str(row[0]) for row in here.sql(f'SELECT t::text FROM "{name}" t')) for name in names}
    # Where a person's data belongs, it is: their account. In the log, the outbox and the chain it is not.
    events = {name: text for name, text in tables.items() if name.startswith(("events_", "audit_"))}
    logs = here.logs()
    found: dict[str, list[str]] = {
        "logs": hits(logs, secrets | personal),
        "redis": hits(heard, secrets | personal) + hits(kept.decode("latin-1"), secrets | personal),
        "events": [f"{name}: {what}" for name, text in events.items() for what in hits(text, secrets | personal)],
        "tables": [f"{name}: {what}" for name, text in tables.items() for what in hits(text, secrets)],
        "task_arguments": arguments(heard),
    }
    return {
        **{f"in_{place}": len(what) for place, what in found.items()},
        "found": [f"{place}: {what}" for place, all_of_it in found.items() for what in all_of_it][:20],
        "secrets": len(secrets),
        "personal": len(personal),
        "bytes_of_logs": len(logs),
        "commands_to_redis": len(listener.heard),
        "tables": len(tables),
        "clean": not any(found.values()) and len(logs) > 100_000 and len(listener.heard) > 100,
    }


def live(here: Site, hands: Hands) -> tuple[dict[str, str], dict[str, str]]:
    """A day in the life of the site; returns what may be nowhere: secrets, and personal data, by what they are."""
    from idp.accounts import recovery
    from idp.mfa import factors
    from idp.notifications import webhooks
    from idp.oidc.clients import registry
    from idp.ssf import signals, streams
    from tests.support.authenticator import enrol

    secrets = {
        "secret key": here.environ["IDP_SECRET_KEY"],
        "sealing key": here.environ["IDP_SEALING_KEYS"].partition(":")[2],
        "agent's secret": AGENT_SECRET.removeprefix("whsec_"),
        "agent's secret, decoded": base64.b64decode(AGENT_SECRET.removeprefix("whsec_")).decode(),
        "password": PASSWORD,
        "new password": NEW_PASSWORD,
        "wrong password": TYPED_WRONG,
        "gateway's password": GATEWAY_PASSWORD,
        "push header": PUSH_HEADER,
        "upstream's client secret": hands.corp.client_secret,
        "client secret": hands.shops[0].secret,
    }
    siem, _ = registry.create({"client_name": "SIEM", "scope": "ssf.manage"}, type="service")
    pushed = {
        "method": "urn:ietf:rfc:8935",
        "endpoint_url": f"http://127.0.0.1:{here.agent_proxy.port}/nobody",
        "authorization_header": PUSH_HEADER,
    }
    streams.create(siem.client_id, {"events_requested": list(signals.SUPPORTED), "delivery": pushed})
    _row, secrets["webhook's key"] = webhooks.add(
        name="Hook", url=f"http://127.0.0.1:{here.agent_proxy.port}/hook", events=["*"], contact="hooks@example.org"
    )
    personal = {}
    here.agent("PUT", "/switches", fail=0.5)
    for number in range(6):
        person = hands.person(f"{CANARY}-{number}")
        here.change(here.web_ports[0], do="profile", sub=str(person.pk), values={"allergies": [f"{CANARY}-nuts-{number}"]})
        personal[f"address {number}"], personal[f"allergy {number}"] = f"{CANARY}-{number}@example.org", f"{CANARY}-nuts-{number}"
        shop, browser = hands.shop(number), hands.anybody(number)
        page = browser.get("/login")
        browser.submit(page, button="login-submit", login=person.email or "", password=TYPED_WRONG)
        secrets[f"code {number}"] = shop.sign_in(browser, email=person.email or "", password=PASSWORD)["code"]
        tokens = shop.redeem(secrets[f"code {number}"]).json()
        renewed = shop.refresh(tokens["refresh_token"]).json()
        for name in ("access_token", "refresh_token", "id_token"):
            secrets |= {f"{name} {number}": tokens.get(name, ""), f"renewed {name} {number}": renewed.get(name, "")}
        secrets |= {f"cookie {name} {number}": value for name, value in browser.cookies.items() if len(value) > 20}
        shop.call("/introspect", {"token": renewed["access_token"]})
        shop.userinfo(renewed["access_token"])
        shop.redeem(secrets[f"code {number}"])  # a replay: refused, and the family is revoked
        shop.refresh(renewed["refresh_token"])
        app = enrol(person)
        secrets[f"authenticator {number}"] = app.key.replace(" ", "")
        codes = factors.make_codes(person, request=type("Request", (), {"session": None})())
        secrets |= {f"recovery code {number}.{position}": code for position, code in enumerate(codes)}
        hands.second_factor(person.email or "", partial(str, codes[0]))
        link = recovery.token_for(person)
        secrets[f"reset link {number}"] = link
        resetting = hands.anybody(number)
        page = resetting.visit(f"/password/reset?token={link}")
        resetting.submit(page, button="reset-submit", password=NEW_PASSWORD)
        hands.passkey_challenge(1000 + number)
        hands.upstream_state(1000 + number)
        hands.client_assertion(number)
    asking = hands.anybody(0)
    asking.submit(asking.get("/password/forgot"), button="forgot-submit", email=personal["address 0"])
    time.sleep(6)
    here.agent("PUT", "/switches", fail=0)
    mails = "".join(here.mailbox.bodies)
    secrets |= {f"mailed link {number}": link for number, link in enumerate(re.findall(r"token=([\w.:-]{20,})", mails))}
    return {name: value for name, value in secrets.items() if value}, personal


def hits(text: str, needles: dict[str, str]) -> list[str]:
    """Which of the needles are in it: as they are, in hexadecimal, or in base64 wherever they begin in it."""
    return [name for name, needle in needles.items() if any(form in text for form in forms(needle))]


def forms(needle: str) -> list[str]:
    raw = needle.encode()
    found = [needle, raw.hex(), json.dumps(needle)[1:-1]]
    for before in range(3):
        whole = base64.b64encode(b"x" * before + raw).decode()
        inner = whole[(4 if before else 0) : len(whole) // 4 * 4 - 4]  # what does not depend on its neighbours
        found += [inner, inner.replace("+", "-").replace("/", "_")] if len(inner) >= 12 else []
    return found


def arguments(heard: str) -> list[str]:
    """Tasks whose arguments are not empty."""
    found = re.findall(r'"argsrepr\\*": \\*"([^"\\]*)\\*", \\*"kwargsrepr\\*": \\*"([^"\\]*)', heard)
    assert found, "no task was heard"
    return [f"{args} {named}" for args, named in found if (args, named) != ("()", "{}")]
