"""People: found, looked at, switched off and on. Nobody's password, hash or profile is edited here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from idp import sessions
from idp.access import groups
from idp.accounts import gate, people
from idp.accounts.claims import standard_claims
from idp.accounts.models import User
from idp.consent import agreement, wording
from idp.kernel.clock import now
from idp.mfa import factors
from idp.oidc.models import TokenFamily

from . import resets
from .lists import ChoiceFilter, RecordAdmin, badge, identifier, moment

_STATES = {
    None: (gettext_lazy("active"), "ok"),
    "disabled": (gettext_lazy("disabled"), "danger"),
    "unverified": (gettext_lazy("address not verified"), "warn"),
}


class StateFilter(ChoiceFilter):
    """What the account gate would say."""

    title = gettext_lazy("state")
    parameter_name = "state"
    conditions = {
        "active": (gettext_lazy("active"), Q(is_active=True) & (Q(email=None) | ~Q(email_verified_at=None))),
        "unverified": (gettext_lazy("address not verified"), Q(is_active=True, email_verified_at=None) & ~Q(email=None)),
        "disabled": (gettext_lazy("disabled"), Q(is_active=False)),
    }


class StaffFilter(ChoiceFilter):
    """Who may come in here."""

    title = gettext_lazy("staff")
    parameter_name = "staff"
    conditions = {"yes": (gettext_lazy("staff"), Q(is_staff=True)), "no": (gettext_lazy("everybody else"), Q(is_staff=False))}


class PersonAdmin(RecordAdmin):
    """The list and one page per person."""

    detail_template = "staff/person.html"
    list_title = gettext_lazy("People")
    lead = gettext_lazy("Everybody with an account here.")
    list_display = ("who", "sub", "state", "joined")
    list_filter = (StateFilter, StaffFilter)
    search_fields = ("email",)
    search_help_text = gettext_lazy("E-mail address, or the whole sub")
    ordering = ("-date_joined", "pk")
    csv_columns = ("id", "email", "email_verified_at", "is_active", "is_staff", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the password's hash: no page of the console needs it, so none can show it."""
        return super().get_queryset(request).defer("password")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.display(description=gettext_lazy("Person"), ordering="email")
    def who(self, user: User) -> str:
        return user.email or _("(no address)")

    @admin.display(description="sub")
    def sub(self, user: User) -> Any:
        return identifier(user.pk)

    @admin.display(description=gettext_lazy("State"))
    def state(self, user: User) -> Any:
        shown = badge(*_state(user))
        return format_html("{} {}", shown, badge(_("staff"))) if user.is_staff else shown

    @admin.display(description=gettext_lazy("Since"), ordering="date_joined")
    def joined(self, user: User) -> Any:
        return moment(user.date_joined)

    def extra_urls(self) -> list[URLPattern]:
        return [
            self.action_path("<str:object_id>/switch/", self.switch_view, "switch"),
            self.action_path("<str:object_id>/sign-out/", self.sign_out_view, "sign_out"),
            self.action_path("<str:object_id>/reset/", self.reset_view, "reset"),
        ]

    def detail(self, request: HttpRequest, row: User) -> dict[str, Any]:
        word, kind = _state(row)
        consents = [
            (consent, wording.items(scopes=consent.scopes, claims=consent.claims, resources=consent.resources))
            for consent in agreement.granted(row)
        ]
        return {
            "state": badge(word, kind),
            "name": standard_claims(row).get("name", ""),
            "sessions": sessions.of_person(row.pk),
            "families": TokenFamily.objects.filter(
                Q(user=row.pk, revoked_at=None, expires_at__gt=now(), epoch=row.credential_epoch)
            ).count(),
            "consents": consents,
            "groups": groups.names_of(row.pk),
            "factors": _factors(row),
            "reset_url": self.object_url(row, "reset"),
            "is_oneself": row.pk == request.user.pk,
            "switch_url": self.object_url(row, "switch"),
            "sign_out_url": self.object_url(row, "sign_out"),
            "events_url": f"{reverse('admin:events_eventrecord_changelist')}?q={row.pk}",
        }

    def switch_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Disable or enable, after showing what that means."""
        user = self.find(request, object_id)
        wanted = not user.is_active
        if request.method == "POST":
            if user.pk == request.user.pk:
                messages.error(request, _("You cannot disable yourself."))
            elif request.POST.get("to") == ("on" if wanted else "off"):
                (people.enable if wanted else people.disable)(user, by=request.user.pk)
                messages.success(request, _("The account is enabled.") if wanted else _("The account is disabled."))
            return HttpResponseRedirect(self.object_url(user))
        effects = [_("The person can sign in again. Sessions and tokens from before stay ended.")]
        if not wanted:
            open_sessions = len(sessions.of_person(user.pk))
            effects = [
                ngettext("%(count)d session ends at once.", "%(count)d sessions end at once.", open_sessions) % {"count": open_sessions},
                _("No app gets a token for this person any more; refresh tokens end."),
                _("Access tokens that are out already stay valid in other services until they expire, unless those ask by introspection."),
                _("Nothing is deleted: you can enable the account again."),
            ]
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Enable %(person)s") % {"person": user} if wanted else _("Disable %(person)s") % {"person": user},
            effects=effects,
            hidden=[("to", "on" if wanted else "off")],
            label=_("Enable the account") if wanted else _("Disable the account"),
            danger=not wanted,
            back_url=self.object_url(user),
        )

    def reset_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Take away what somebody lost."""
        return resets.ask(self, request, self.find(request, object_id))

    def sign_out_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """End every session and refresh token of somebody."""
        user = self.find(request, object_id)
        if request.method == "POST":
            people.sign_out_everywhere(user, by=request.user.pk)
            messages.success(request, _("Signed out everywhere."))
            return HttpResponseRedirect(self.object_url(user))
        open_sessions = len(sessions.of_person(user.pk))
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Sign %(person)s out everywhere") % {"person": user},
            effects=[
                ngettext("%(count)d session ends at once.", "%(count)d sessions end at once.", open_sessions) % {"count": open_sessions},
                _("Refresh tokens end: every app will ask for a new sign-in."),
                _("The password stays as it is."),
            ],
            label=_("Sign out everywhere"),
            danger=True,
            back_url=self.object_url(user),
        )


def _state(user: User) -> tuple[Any, str]:
    return _STATES[gate.refusal(user)]  # without an epoch nothing is stale


def _factors(user: User) -> str:
    """What somebody holds beside the password, in numbers."""
    apps, keys, phones = len(factors.of_person(user)), len(factors.keys_of(user)), len(factors.phones_of(user))
    parts = [
        ngettext("%(count)d authenticator app", "%(count)d authenticator apps", apps) % {"count": apps} if apps else "",
        ngettext("%(count)d passkey", "%(count)d passkeys", keys) % {"count": keys} if keys else "",
        ngettext("%(count)d phone", "%(count)d phones", phones) % {"count": phones} if phones else "",
    ]
    return ", ".join(filter(None, parts))
