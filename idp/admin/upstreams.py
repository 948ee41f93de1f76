"""Other providers that people may sign in through: added, changed, looked at and taken away. Their secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from idp.federation import allauth, documents, probe, upstreams
from idp.federation.models import UpstreamRow
from idp.federation.upstreams import AUTH_METHODS, Invalid

from .client_form import LinesField
from .lists import StaffAdmin, badge, identifier, moment

_GROUPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    ("", ("name", "label", "kind", "issuer", "client_id", "secret", "enabled")),
    (gettext_lazy("Who comes through it"), ("button", "domains", "signup", "trust_email")),
    (gettext_lazy("What it says about people"), ("mapping", "refresh", "trusted_acr")),
    (gettext_lazy("Protocol"), ("auth_method", "logout", "posted_tokens", "audiences")),
)


class UpstreamForm(forms.Form):
    """The members of an upstream, as `federation.upstreams` takes them; that is also what judges them."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=40, help_text=gettext_lazy("Small letters, digits and hyphens; part of the redirect URI.")
    )
    label = forms.CharField(label=gettext_lazy("Label"), max_length=60, help_text=gettext_lazy("What people read on the button."))
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=UpstreamRow.Kind.choices, help_text=gettext_lazy("Google: its brand rules, and its addresses.")
    )
    issuer = forms.CharField(
        label=gettext_lazy("Issuer"), max_length=300, help_text=gettext_lazy("Its issuer, or the address of its discovery document.")
    )
    client_id = forms.CharField(label="client_id", max_length=255, help_text=gettext_lazy("What it calls this provider."))
    secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        required=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=False),
        help_text=gettext_lazy("Sealed when it is saved, and never shown. Empty: what is stored stays."),
    )
    enabled = forms.BooleanField(
        label=gettext_lazy("Switched on"),
        required=False,
        help_text=gettext_lazy("Off: nobody signs in through it, also not in the middle."),
    )
    button = forms.BooleanField(label=gettext_lazy("Button on the sign-in page"), required=False)
    domains = LinesField(
        label=gettext_lazy("E-mail domains"), rows=2, help_text=gettext_lazy("People with these addresses sign in there: one per line.")
    )
    signup = forms.BooleanField(label=gettext_lazy("Somebody new gets an account"), required=False)
    trust_email = forms.BooleanField(
        label=gettext_lazy("Its word about addresses counts"),
        required=False,
        help_text=gettext_lazy("An address that it calls verified opens an account here, and supersedes one that nobody verified."),
    )
    mapping = LinesField(
        label=gettext_lazy("Profile"), rows=5, help_text=gettext_lazy("One per line: claim of ours = claim of theirs, as in nickname=name.")
    )
    refresh = forms.ChoiceField(
        label=gettext_lazy("At each sign-in"),
        choices=[
            ("unedited", gettext_lazy("Take over what nobody edited here")),
            ("never", gettext_lazy("Leave the profile as it is")),
        ],
    )
    trusted_acr = LinesField(
        label=gettext_lazy("Counts as two factors"),
        rows=2,
        help_text=gettext_lazy("Values of its acr or amr, one per line. Empty: its word about strength is not believed."),
    )
    auth_method = forms.ChoiceField(
        label=gettext_lazy("How we prove ourselves"),
        choices=[(one, one or gettext_lazy("as its document says")) for one in AUTH_METHODS],
        required=False,
    )
    logout = forms.BooleanField(label=gettext_lazy("Signing out here signs out there"), required=False)
    posted_tokens = forms.BooleanField(
        label=gettext_lazy("Its ID tokens may be posted"), required=False, help_text=gettext_lazy("For One Tap and mobile apps.")
    )
    audiences = LinesField(
        label=gettext_lazy("Client ids of apps"), rows=2, help_text=gettext_lazy("Whose ID tokens may be posted: one per line.")
    )

    def __init__(self, data: Any = None, *, present: upstreams.Upstream | None = None) -> None:
        described = present.described() if present is not None else {**upstreams.EXAMPLE.described(), "name": "", "label": "", "issuer": ""}
        mapping = [f"{ours}={theirs}" for ours, theirs in described["mapping"].items()]
        super().__init__(data, initial={**described, "mapping": mapping})
        self.present = present
        if present is not None:
            del self.fields["name"]

    @property
    def groups(self) -> list[tuple[Any, list[list[dict[str, Any]]]]]:
        """The fields as `staff/fieldset.html` shows them."""
        return [(title, [[{"field": self[name]}] for name in names if name in self.fields]) for title, names in _GROUPS]

    def members(self) -> dict[str, Any]:
        """What `upstreams.add` and `update` take, but for name and secret."""
        found = {name: value for name, value in self.cleaned_data.items() if name not in ("name", "secret")}
        pairs = [line.partition("=") for line in found["mapping"]]
        found["mapping"] = {ours.strip(): theirs.strip() for ours, _sign, theirs in pairs}
        return found

    def save(self, *, by: Any) -> upstreams.Upstream | None:
        """Store it; None = it was refused, and the form says why."""
        secret = self.cleaned_data["secret"]
        try:
            if self.present is not None:
                return upstreams.update(self.present.name, secret=secret or None, by=by, **self.members())
            return upstreams.add(name=self.cleaned_data["name"], secret=secret, by=by, **self.members())
        except Invalid as error:
            self.add_error(
                error.member if error.member in self.fields else None, capfirst(str(error).removeprefix(f"{error.member} ")) + "."
            )
            return None


class UpstreamAdmin(StaffAdmin):
    """The list, the form, what works, and the way out."""

    list_title = gettext_lazy("Other providers")
    lead = gettext_lazy("Google and other OpenID providers that people may sign in through.")
    list_display = ("label", "name_shown", "issuer", "state", "changed")
    search_fields = ("name", "label", "issuer")
    search_help_text = gettext_lazy("Name, label or issuer")
    ordering = ("label", "pk")
    csv_columns = ("name", "label", "kind", "issuer", "client_id", "enabled", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("secret_sealed")

    @admin.display(description=gettext_lazy("Name"), ordering="name")
    def name_shown(self, row: UpstreamRow) -> Any:
        return identifier(row.name)

    @admin.display(description=gettext_lazy("State"), ordering="enabled")
    def state(self, row: UpstreamRow) -> Any:
        return badge(_("on"), "ok") if row.enabled else badge(_("off"), "danger")

    @admin.display(description=gettext_lazy("Changed (UTC)"), ordering="updated_at")
    def changed(self, row: UpstreamRow) -> Any:
        return moment(row.updated_at)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.action_path("", self.changelist_view, "changelist"),
            self.action_path("csv", self.csv_view, "csv"),
            self.action_path("json", self.json_view, "json"),
            self.action_path("add/", self.edit_view, "add"),
            self.action_path("<str:object_id>/test/", self.test_view, "test"),
            self.action_path("<str:object_id>/delete/", self.remove_view, "delete"),
            self.action_path("<str:object_id>/", self.edit_view, "change"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        lead: Any = self.lead
        if settings.IDP.google_client_id:
            lead = _("Google is switched on by IDP_GOOGLE_CLIENT_ID, and not in this list.")
        return super().changelist_view(request, {"lead": lead, **(extra_context or {})})

    def edit_view(self, request: HttpRequest, object_id: str | None = None) -> HttpResponseBase:
        """A new one, or another configuration of one."""
        present = self._upstream(request, object_id) if object_id is not None else None
        form = UpstreamForm(request.POST if request.method == "POST" else None, present=present)
        if request.method == "POST" and form.is_valid():
            saved = form.save(by=request.user.pk)
            if saved is not None:
                documents.forget()
                messages.success(request, _("Saved. It holds everywhere within a second."))
                return HttpResponseRedirect(self.object_url(UpstreamRow.objects.get(name=saved.name)))
        urls = {}
        if present is not None:
            row = self.find(request, str(object_id))
            urls = {f"{name}_url": self.object_url(row, name) for name in ("test", "delete")}
        return self.page(
            request,
            "staff/upstream.html",
            title=present.label if present is not None else _("Add a provider"),
            form=form,
            groups=form.groups,
            upstream=present,
            linked=allauth.count(present.issuer) if present is not None else 0,
            **urls,
        )

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Ask it what it can do."""
        upstream = self._upstream(request, object_id)
        findings = None
        if request.method == "POST":
            documents.forget()
            findings = probe.run(upstream)
        return self.page(
            request,
            "staff/upstream_test.html",
            title=_("Test %(name)s") % {"name": upstream.label},
            findings=findings,
            back_url=self.object_url(self.find(request, object_id)),
        )

    def remove_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """What goes with it is said first."""
        upstream = self._upstream(request, object_id)
        if request.method == "POST":
            upstreams.remove(upstream.name, by=request.user.pk)
            messages.success(request, _("%(name)s is gone.") % {"name": upstream.label})
            return HttpResponseRedirect(self.list_url())
        linked = allauth.count(upstream.issuer)
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Take %(name)s away") % {"name": upstream.label},
            effects=[
                ngettext("%(count)d linked account loses this way in.", "%(count)d linked accounts lose this way in.", linked)
                % {"count": linked},
                _("Whoever has no password and no passkey gets back in by a mail to their address only."),
                _("To stop it for a while, switch it off instead: links stay."),
            ],
            label=_("Take it away"),
            danger=True,
            back_url=self.object_url(self.find(request, object_id)),
        )

    def _upstream(self, request: HttpRequest, object_id: str) -> upstreams.Upstream:
        return upstreams.of_row(self.find(request, object_id))
