"""Addresses that exist in development only."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from . import mail, views

urlpatterns = [
    path("playground", RedirectView.as_view(url="/playground/")),
    path("playground/", views.index, name="playground"),
    path("playground/start", views.start, name="playground-start"),
    path("playground/callback", views.callback, name="playground-callback"),
    path("playground/act", views.act, name="playground-act"),
    path("dev/inbox", mail.page, name="dev-inbox"),
    path("dev/inbox.json", mail.as_json, name="dev-inbox-json"),
    path("dev/inbox/<str:mail_id>.html", mail.markup, name="dev-inbox-html"),
]
