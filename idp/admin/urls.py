"""The pages of the console: which table each list shows."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from idp.accounts.models import User
from idp.events.models import Delivery, EventRecord
from idp.oidc.models import Client, RefusedRequest, SigningKey

from .clients import ClientAdmin
from .deliveries import DeliveryAdmin
from .event_log import EventAdmin
from .keys import KeyAdmin
from .people import PersonAdmin
from .refusals import RefusalAdmin
from .site import site

for _model, _page in (
    (Client, ClientAdmin),
    (User, PersonAdmin),
    (EventRecord, EventAdmin),
    (RefusedRequest, RefusalAdmin),
    (Delivery, DeliveryAdmin),
    (SigningKey, KeyAdmin),
):
    site.register(_model, _page)

urlpatterns: list[URLPattern | URLResolver] = [path("", site.urls)]
