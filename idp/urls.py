"""Every URL of the provider starts here; each floor owns its own list."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("idp.oidc.urls")),
    path("", include("idp.ssf.urls")),
    path("", include("idp.signin.urls")),
    path("", include("idp.consent.urls")),
    path("", include("idp.console.urls")),
    path("", include("idp.operations.urls")),
    path("staff/", include("idp.admin.urls")),
]
if settings.IDP.development:
    urlpatterns.append(path("", include("idp.playground.urls")))

handler500 = "idp.console.failures.server_error"
