"""Apps and services: registered, changed, switched off and deleted through the registry, the only writer of their tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from idp.consent.models import Consent
from idp.kernel.clock import now
from idp.oidc.clients import registry
from idp.oidc.models import Client, TokenFamily

from .client_form import KINDS, ClientForm, kind_of, omitted
from .lists import ChoiceFilter, StaffAdmin, badge, identifier, moment

# How long the former secret goes on working (seconds), and what the choice is called.
OVERLAPS: dict[str, Any] = {
    "86400": gettext_lazy("One day: time to deploy the new one"),
    "604800": gettext_lazy("One week"),
    "2592000": gettext_lazy("30 days"),
    "3600": gettext_lazy("One hour"),
    "0": gettext_lazy("Not at all: the former secret may be known to somebody"),
}


_SERVICE = Q(authorization_grant_type=Client.GRANT_CLIENT_CREDENTIALS, metadata__response_types=[])
_NATIVE = ~_SERVICE & Q(metadata__application_type="native")
_PUBLIC = Q(token_endpoint_auth_method="none")  # noqa: S106 (a word of RFC 7591)


class KindFilter(ChoiceFilter):
    """Web, single-page, native, service."""

    title = gettext_lazy("kind")
    parameter_name = "kind"
    conditions = {
        "web": (KINDS["web"][0], ~_SERVICE & ~Q(metadata__application_type="native") & ~_PUBLIC),
        "spa": (KINDS["spa"][0], ~_SERVICE & ~Q(metadata__application_type="native") & _PUBLIC),
        "native": (KINDS["native"][0], _NATIVE),
        "service": (KINDS["service"][0], _SERVICE),
    }


class ProfileFilter(ChoiceFilter):
    """The rules that a client is held to."""

    title = gettext_lazy("rules")
    parameter_name = "profile"
    conditions = {value: (label, Q(profile=value)) for value, label in Client.Profile.choices}


class SwitchFilter(ChoiceFilter):
    """On or off."""

    title = gettext_lazy("state")
    parameter_name = "state"
    conditions = {"on": (gettext_lazy("on"), Q(enabled=True)), "off": (gettext_lazy("off"), Q(enabled=False))}


class OursFilter(ChoiceFilter):
    """First party or not."""

    title = gettext_lazy("whose")
    parameter_name = "whose"
    conditions = {"ours": (gettext_lazy("ours"), Q(first_party=True)), "others": (gettext_lazy("others'"), Q(first_party=False))}


class ClientAdmin(StaffAdmin):
    """The list, the form, and a page for each thing that cannot be undone."""

    form = ClientForm
    list_title = gettext_lazy("Apps and services")
    lead = gettext_lazy("Everything that may ask this provider for tokens.")
    list_display = ("named", "id_of_client", "kind", "rules", "state", "changed")
    list_filter = (KindFilter, ProfileFilter, SwitchFilter, OursFilter)
    search_fields = ("name", "client_id", "redirect_uris")
    search_help_text = gettext_lazy("Name, client_id or redirect URI")
    ordering = ("name", "pk")
    csv_columns = (
        "client_id",
        "name",
        "profile",
        "token_endpoint_auth_method",
        "redirect_uris",
        "first_party",
        "enabled",
        "created",
        "updated",
    )
    change_form_template = add_form_template = "staff/client.html"
    fieldsets = (
        (None, {"fields": ("client_name", "client_uri", "redirect_uris", "post_logout_redirect_uris", "seen")}),
        (
            gettext_lazy("What it may do"),
            {"fields": ("grant_types", "scope", "resources", "allowed_origins", "first_party", "identity_providers")},
        ),
        (gettext_lazy("Security"), {"fields": ("token_endpoint_auth_method", "profile", "application_type", "jwks_uri", "jwks")}),
        (gettext_lazy("How people must sign in"), {"fields": ("min_acr", "enrolment", "allow_trusted_browser")}),
        (
            gettext_lazy("Tokens"),
            {
                "classes": ("collapse",),
                "fields": (
                    "response_types",
                    "access_token_format",
                    "access_token_alg",
                    "access_token_seconds",
                    "id_token_signed_response_alg",
                    "default_max_age",
                    "require_auth_time",
                ),
            },
        ),
        (
            gettext_lazy("About it"),
            {"classes": ("collapse",), "fields": ("logo_uri", "brand_colour", "brand_radius", "policy_uri", "tos_uri", "contacts")},
        ),
        (
            gettext_lazy("Sign-out and start of a sign-in"),
            {"classes": ("collapse",), "fields": ("backchannel_logout_uri", "frontchannel_logout_uri", "initiate_login_uri")},
        ),
    )

    @admin.display(description=gettext_lazy("Name"), ordering="name")
    def named(self, client: Client) -> str:
        return client.name

    @admin.display(description=gettext_lazy("Rules"), ordering="profile")
    def rules(self, client: Client) -> Any:
        return Client.Profile(client.profile).label

    @admin.display(description=gettext_lazy("Changed (UTC)"), ordering="updated")
    def changed(self, client: Client) -> Any:
        return moment(client.updated)

    @admin.display(description="client_id", ordering="client_id")
    def id_of_client(self, client: Client) -> Any:
        return identifier(client.client_id)

    @admin.display(description=gettext_lazy("Kind"))
    def kind(self, client: Client) -> Any:
        return KINDS[kind_of(client)][0]

    @admin.display(description=gettext_lazy("State"), ordering="enabled")
    def state(self, client: Client) -> Any:
        shown = badge(_("on"), "ok") if client.enabled else badge(_("off"), "danger")
        unchecked = client.registration_source != Client.RegistrationSource.MANUAL
        return shown + " " + badge(_("self-registered"), "warn") if unchecked else shown

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.action_path("", self.changelist_view, "changelist"),
            self.action_path("csv", self.csv_view, "csv"),
            self.action_path("json", self.json_view, "json"),
            self.action_path("add/", self.add_view, "add"),
            self.action_path("<str:object_id>/secret/", self.secret_view, "secret"),
            self.action_path("<str:object_id>/switch/", self.switch_view, "switch"),
            self.action_path("<str:object_id>/delete/", self.remove_view, "delete"),
            self.action_path("<str:object_id>/", self.change_view, "change"),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        kind = request.GET.get("kind", "")
        if kind not in KINDS:
            kinds = [(f"?kind={word}", label, text) for word, (label, text) in KINDS.items()]
            return self.page(request, "staff/client_kinds.html", title=_("Add an app or service"), kinds=kinds)
        return super().add_view(request, form_url, {"title": _("Add: %(kind)s") % {"kind": KINDS[kind][0]}, "list_url": self.list_url()})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        client = self.find(request, object_id)
        present = now()
        context = {
            "title": client.name,
            "list_url": self.list_url(),
            "client": client,
            "kind": KINDS[kind_of(client)][0],
            "has_secret": client.token_endpoint_auth_method in registry.SECRET_METHODS,
            "self_registered": client.registration_source != Client.RegistrationSource.MANUAL,
            "secrets": [
                secret for secret in client.secrets.order_by("-created_at") if secret.expires_at is None or secret.expires_at > present
            ],
            "refused_url": _address("oidc_refusedrequest", q=client.client_id),
            "events_url": _address("events_eventrecord", q=client.client_id),
            "issuer": settings.IDP.issuer,
            **{f"{name}_url": self.object_url(client, name) for name in ("secret", "switch", "delete")},
        }
        return super().change_view(request, object_id, form_url, context)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Without a transaction around it: the registry has its own, and looks at the app's logo after it."""
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        return type("ClientForm", (ClientForm,), {"kind": _kind(request, obj)})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What makes no sense for this kind of client is left out, here and by the form."""
        out = omitted(_kind(request, obj), adding=obj is None)
        shown = [
            (name, {**options, "fields": [field for field in options["fields"] if field not in out]}) for name, options in self.fieldsets
        ]
        return [(name, options) for name, options in shown if options["fields"]]

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        return form.instance

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the registry; a secret that came of it leaves with this answer and is kept nowhere."""
        by = _staff(request)
        if change:
            form.new_secret = registry.update(obj, form.document(), by=by)
        else:
            made, form.new_secret = registry.create(form.document(), type=form.kind, by=by)
            obj.__dict__.update(made.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The registry saved everything; the secret waits on the request for `response_add` and `response_change`."""
        request.new_secret = form.new_secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._saved(request, obj, _("%(name)s is registered.") % {"name": obj.name}, first=True)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._saved(request, obj, _("Saved. It holds everywhere within a second."))

    def _saved(self, request: HttpRequest, client: Client, text: str, *, first: bool = False) -> HttpResponse:
        secret = request.new_secret  # type: ignore[attr-defined]
        if secret is not None:
            return self._show_secret(request, client, secret, first=first)
        messages.success(request, text)
        return HttpResponseRedirect(self.object_url(client))

    def _show_secret(
        self, request: HttpRequest, client: Client, secret: str, *, first: bool = False, overlap: Any = ""
    ) -> TemplateResponse:
        """The one page that ever holds a client secret: the answer to this POST, never stored (hostile case CA-22)."""
        title = _("%(name)s is registered") % {"name": client.name} if first else _("New secret for %(name)s") % {"name": client.name}
        answer = self.page(
            request,
            "staff/client_secret.html",
            title=title,
            client=client,
            secret=secret,
            overlap=overlap,
            issuer=settings.IDP.issuer,
            back_url=self.object_url(client),
        )
        answer["Cache-Control"] = "no-store"
        return answer

    def secret_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A new secret, with the choice of how long the former one goes on."""
        client = self.find(request, object_id)
        if client.token_endpoint_auth_method not in registry.SECRET_METHODS:
            raise Http404
        if request.method == "POST" and request.POST.get("overlap") in OVERLAPS:
            seconds = int(request.POST["overlap"])
            secret = registry.rotate_secret(client, overlap=timedelta(seconds=seconds), by=_staff(request))
            return self._show_secret(request, client, secret, overlap=OVERLAPS[str(seconds)] if seconds else "")
        return self.page(
            request,
            "staff/confirm.html",
            title=_("New secret for %(name)s") % {"name": client.name},
            effects=[
                _("A new secret is made and shown once, on the next page."),
                _("Two secrets work during the overlap, so that the app can be changed without a pause."),
                _("If there is an older secret besides the present one, it ends now."),
            ],
            choice=("overlap", _("How long does the present secret go on working?"), list(OVERLAPS.items())),
            label=_("Make a new secret"),
            back_url=self.object_url(client),
        )

    def switch_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """On or off."""
        client = self.find(request, object_id)
        wanted = not client.enabled
        if request.method == "POST" and request.POST.get("to") == ("on" if wanted else "off"):
            registry.set_enabled(client, wanted, by=_staff(request))
            messages.success(request, _("It is on.") if wanted else _("It is off."))
        if request.method == "POST":
            return HttpResponseRedirect(self.object_url(client))
        title = _("Switch %(name)s on") if wanted else _("Switch %(name)s off")
        effects = [_("It can ask for tokens again, everywhere within a second.")]
        if not wanted:
            effects = [
                _("Nobody can sign in to it, and it gets no more tokens, everywhere within a second."),
                *_what_hangs_on_it(client),
                _("Nothing is deleted: switch it on again and it goes on."),
            ]
        return self.page(
            request,
            "staff/confirm.html",
            title=title % {"name": client.name},
            effects=effects,
            hidden=[("to", "on" if wanted else "off")],
            label=_("Switch on") if wanted else _("Switch off"),
            danger=not wanted,
            back_url=self.object_url(client),
        )

    def remove_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Delete, after showing what will break."""
        client = self.find(request, object_id)
        if request.method == "POST":
            registry.delete(client, by=_staff(request))
            messages.success(request, _("%(name)s is deleted.") % {"name": client.name})
            return HttpResponseRedirect(self.list_url())
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Delete %(name)s") % {"name": client.name},
            effects=[
                *_what_hangs_on_it(client),
                _("All of it ends at once, with the client_id and its secrets. It cannot be undone."),
                _("To stop it for a while, switch it off instead."),
            ],
            label=_("Delete for good"),
            danger=True,
            back_url=self.object_url(client),
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Nothing from the address: a link must not fill in somebody else's redirect URI."""
        return {}


def _what_hangs_on_it(client: Client) -> list[str]:
    """How many people and tokens depend on it, in two queries."""
    people = Consent.objects.filter(client_id=client.client_id).count()
    live = TokenFamily.objects.filter(client=client, revoked_at=None, expires_at__gt=now()).count()
    return [
        ngettext(
            "%(count)d person has allowed it to know things about them.",
            "%(count)d people have allowed it to know things about them.",
            people,
        )
        % {"count": people},
        ngettext("%(count)d sign-in of it is still alive.", "%(count)d sign-ins of it are still alive.", live) % {"count": live},
    ]


def _kind(request: HttpRequest, client: Client | None) -> str:
    if client is not None:
        return kind_of(client)
    asked = request.GET.get("kind", "")
    return asked if asked in KINDS else "web"


def _staff(request: HttpRequest) -> Any:
    return request.user.pk


def _address(name: str, **query: str) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(query)}"
