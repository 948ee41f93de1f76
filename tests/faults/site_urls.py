"""The product's URLs, and one for the clients of the ledger: it calls the functions that the product's own pages call."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from idp.accounts import people, profile
from idp.accounts.models import User
from idp.events import emit
from idp.events.catalogue import AccountErased
from idp.events.models import EventRecord
from idp.urls import urlpatterns as product


@csrf_exempt
def change(request: HttpRequest) -> JsonResponse:
    """One change of an account, one transaction. The answer comes after the commit: it is the acknowledgement."""
    wanted: dict[str, Any] = json.loads(request.body)
    with transaction.atomic():
        if wanted["do"] == "create":
            user = people.create(email=wanted["email"], method="signup", password=wanted.get("password"), verified=True)
        else:
            user = User.objects.select_for_update().get(pk=wanted["sub"])
            if wanted["do"] == "profile":
                profile.change(user, wanted["values"], role="person")
            elif wanted["do"] == "disable":
                people.disable(user)
            elif wanted["do"] == "enable":
                people.enable(user)
            elif wanted["do"] == "erase":
                emit(AccountErased(), person=user.pk)
                User.objects.filter(pk=user.pk).delete()
        names = ["account.verified", "profile.changed", "account.erased"]
        event = EventRecord.objects.filter(person=wanted.get("sub") or user.pk, name__in=names).order_by("-sequence").first()
    return JsonResponse({"sub": wanted.get("sub") or str(user.pk), "event": str(event.pk) if event else None})


urlpatterns = [path("ledger/change", change), *product]
handler500 = "idp.console.failures.server_error"
