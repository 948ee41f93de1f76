"""The Agent: a service beside us that keeps something for each person and is told when an account changes.

POST /users/{sub} when the account is verified, PATCH /users/{sub}/allergies and PATCH /users/{sub} when a mapped attribute
changes, DELETE /users/{sub} when the account is erased. Only what changed is told; values are those of the first attempt, and a
repetition sends the same bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from idp.accounts import claims
from idp.accounts.models import User
from idp.events.catalogue import AccountEmailChanged, AccountErased, AccountVerified, Event, ProfileChanged
from idp.events.models import Delivery, EventRecord
from idp.notifications import signature
from idp.notifications.receivers import Call, NotNow

# What a person is called: the first of these that is known.
USERNAME = ("preferred_username", "nickname", "given_name", "name")
EMPTY: Mapping[str, Any] = {"allergies": [], "preferences": {}}


class Agent:
    """The receiver; `IDP_AGENT_URL` empty = there is none."""

    blocks = True
    gives_up_after = timedelta(days=3)

    def targets(self, event: Event) -> Sequence[str]:
        if not settings.IDP.agent_url:
            return ()
        match event:
            case AccountVerified() | AccountErased():
                return ("",)
            case AccountEmailChanged():
                return ("",) if "email" in settings.IDP.agent_fields else ()
            case ProfileChanged():
                return ("",) if _mapped(event.attributes) else ()
        return ()

    def compose(self, record: EventRecord, delivery: Delivery) -> Sequence[Call]:
        sub = record.person
        if sub is None:
            return ()
        key, address = str(record.pk), f"/users/{sub}"
        if record.name == AccountErased.name:
            return (Call("DELETE", address, key),)
        user = User.objects.filter(pk=sub).first()
        if user is None or not (user.email_verified_at or user.phone_verified_at):
            return ()  # erased meanwhile, or the Agent does not know this person yet: then it gets everything at once
        if record.name == AccountVerified.name:
            body = {"uid": str(sub), **_values(user, settings.IDP.agent_fields)}
            return (Call("POST", address, key, _json(body), personal=True),)
        if record.name == AccountEmailChanged.name:
            changed: Sequence[str] = ("email",)
        else:
            changed = _mapped(record.data.get("attributes", ()))
        calls = []
        if "allergies" in changed:
            calls.append(Call("PATCH", f"{address}/allergies", key, _json(_values(user, ("allergies",))), personal=True))
        others = [name for name in changed if name != "allergies"]
        if others:
            # Two calls about one event must not look like one that was repeated.
            own_key = f"{key}.profile" if calls else key
            calls.append(Call("PATCH", address, own_key, _json(_values(user, others)), personal=True))
        return calls

    def address(self, call: Call, delivery: Delivery) -> str:
        """`IDP_AGENT_URL` as it is now; a kept call holds the path only."""
        if not settings.IDP.agent_url:
            raise NotNow("IDP_AGENT_URL is not set")
        return f"{settings.IDP.agent_url}{call.url}"

    def headers(self, call: Call, delivery: Delivery) -> Mapping[str, str]:
        mint = import_string(settings.OWN_ACCESS_TOKEN)
        return {
            **({"content-type": "application/json"} if call.body else {}),
            "authorization": f"Bearer {mint(settings.IDP.agent_url)}",
            "idempotency-key": call.key,
            "x-request-id": f"{delivery.pk.hex}-{delivery.attempts}",
            **signature.headers(message_id=call.key, timestamp=int(time.time()), body=call.body, keys=keys()),
        }

    def accepts(self, call: Call, status: int) -> bool:
        # There already, or gone already: what we wanted.
        return 200 <= status < 300 or (call.method == "POST" and status == 409) or (call.method == "DELETE" and status == 404)

    def failed_for_long(self, delivery: Delivery, *, since: timedelta) -> None:
        """Its messages die one by one, and the staff console says so."""


def keys() -> list[str]:
    """The keys in `IDP_AGENT_SECRET`: one, or two while it is replaced."""
    return [key.strip() for key in settings.IDP.agent_secret.get_secret_value().split(",") if key.strip()]


def _mapped(attributes: Sequence[str]) -> list[str]:
    """The fields of ours that these attributes fill."""
    fields: Sequence[str] = settings.IDP.agent_fields
    return [name for name in fields if name in attributes or (name == "username" and not set(USERNAME).isdisjoint(attributes))]


def _values(user: User, fields: Sequence[str]) -> dict[str, Any]:
    stored = claims.stored(user)
    found: dict[str, Any] = {}
    for name in fields:
        if name == "username":
            found[name] = next((stored[source] for source in USERNAME if stored.get(source)), str(user.pk))
        elif name == "email":
            found[name] = user.email
        else:
            found[name] = stored.get(name, EMPTY.get(name))
    return found


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


RECEIVER = Agent()
