"""A person's own pages, and the few addresses that belong to the whole site."""

from __future__ import annotations

from django.urls import path
from django.views.i18n import set_language

from . import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("account", views.overview, name="account"),
    path("account/apps", views.apps, name="account-apps"),
    path("account/sessions", views.sessions, name="account-sessions"),
    path("language", set_language, name="language"),
    path("favicon.ico", views.favicon, name="favicon"),
]
