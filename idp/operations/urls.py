"""Health. Answered by `HealthMiddleware` before these patterns are asked; they are here because every URL is listed."""

from django.urls import path

from idp.operations import health

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]
