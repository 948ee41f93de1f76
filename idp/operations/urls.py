"""The events API, and health: answered by `HealthMiddleware` before these patterns are asked; they are here because every URL is listed."""

from django.urls import path

from idp.operations import events_api, health

urlpatterns = [
    path("api/v1/events", events_api.events),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]
