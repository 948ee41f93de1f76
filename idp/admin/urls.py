"""The pages of the console: which table each list shows."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from idp.access.models import Group
from idp.accounts.models import User
from idp.events.models import Delivery, EventRecord
from idp.federation.models import UpstreamRow
from idp.mfa.models import ResetRequest
from idp.notifications.models import Webhook
from idp.oidc.models import Client, RefusedRequest, SigningKey
from idp.ssf.models import Stream

from .clients import ClientAdmin
from .deliveries import DeliveryAdmin
from .event_log import EventAdmin
from .groups import GroupAdmin
from .keys import KeyAdmin
from .people import PersonAdmin
from .refusals import RefusalAdmin
from .resets import ResetAdmin
from .site import site
from .streams import StreamAdmin
from .upstreams import UpstreamAdmin
from .webhooks import WebhookAdmin

for _model, _page in (
    (Client, ClientAdmin),
    (User, PersonAdmin),
    (Group, GroupAdmin),
    (ResetRequest, ResetAdmin),
    (UpstreamRow, UpstreamAdmin),
    (EventRecord, EventAdmin),
    (RefusedRequest, RefusalAdmin),
    (Delivery, DeliveryAdmin),
    (Webhook, WebhookAdmin),
    (Stream, StreamAdmin),
    (SigningKey, KeyAdmin),
):
    site.register(_model, _page)

urlpatterns: list[URLPattern | URLResolver] = [path("", site.urls)]
