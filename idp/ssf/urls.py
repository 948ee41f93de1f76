"""Shared Signals. No trailing slashes: a redirect would lose the body of a POST."""

from django.urls import path

from idp.ssf import views

urlpatterns = [
    path(".well-known/ssf-configuration", views.metadata),
    path("ssf/streams", views.configuration),
    path("ssf/streams/<str:stream_id>/poll", views.poll),
    path("ssf/status", views.status),
    path("ssf/subjects/add", views.add_subject),
    path("ssf/subjects/remove", views.remove_subject),
    path("ssf/verify", views.verify),
]
