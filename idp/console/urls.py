"""A person's own pages, and the few addresses that belong to the whole site."""

from __future__ import annotations

from django.urls import path

from idp.signin import branding, languages

from . import activity, addresses, keep_factors, linked, passkeys, phones, privacy, profile, security, views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("account", views.overview, name="account"),
    path("account/profile", profile.edit, name="account-profile"),
    path("account/address/undo", addresses.undo, name="account-address-undo"),
    path("account/address/<str:word>", addresses.change, name="account-address"),
    path("account/apps", views.apps, name="account-apps"),
    path("account/apps/receipt", views.receipt, name="account-receipt"),
    path("account/data", privacy.data, name="account-data"),
    path("account/data/export", privacy.ask_export, name="account-export"),
    path("account/data/download/<str:form>", privacy.download, name="account-download"),
    path("account/delete", privacy.delete, name="account-delete"),
    path("account/keep", privacy.keep, name="account-keep"),
    path("account/activity", activity.activity, name="account-activity"),
    path("account/activity/not-me", activity.not_me, name="account-not-me"),
    path("account/sessions", views.sessions, name="account-sessions"),
    path("account/linked", linked.linked, name="account-linked"),
    path("account/security", security.overview, name="account-security"),
    path("account/security/authenticator", security.add_authenticator, name="account-add-authenticator"),
    path("account/security/authenticator/<int:number>", security.authenticator, name="account-authenticator"),
    path("account/security/phone", phones.add, name="account-add-phone"),
    path("account/security/phone/confirm", phones.confirm, name="account-confirm-phone"),
    path("account/security/phone/<int:number>", phones.remove, name="account-phone"),
    path("account/security/keep", keep_factors.keep, name="account-keep-factors"),
    path("account/security/browsers", phones.end_trust, name="account-end-trust"),
    path("account/security/recovery-codes", security.recovery_codes, name="account-recovery-codes"),
    path("account/security/passkey", passkeys.add, name="account-add-passkey"),
    path("account/security/passkey/options", passkeys.options, name="account-passkey-options"),
    path("account/security/passkey/<int:number>", passkeys.one, name="account-passkey"),
    path("brand/logo", branding.logo, name="brand-logo"),
    path("brand/<str:name>.css", branding.stylesheet, name="brand-stylesheet"),
    path("language", languages.choose, name="language"),
    path("favicon.ico", views.favicon, name="favicon"),
]
