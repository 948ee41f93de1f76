"""Lost second steps: who asked for a reset and why, and a second member of staff who decides, where the deployment wants that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from idp import sessions
from idp.mfa import reset
from idp.mfa.models import ResetRequest

from .lists import ChoiceFilter, RecordAdmin, badge, moment

if TYPE_CHECKING:
    from idp.accounts.models import User

_STATES: dict[str, tuple[Any, str]] = {
    "waiting": (gettext_lazy("waits"), "warn"),
    "done": (gettext_lazy("done"), "ok"),
    "declined": (gettext_lazy("called off"), ""),
}
_SOURCES = {
    "staff": gettext_lazy("staff"),
    "command": gettext_lazy("operator’s command"),
    "person": gettext_lazy("the person, with password and mailbox"),
}


class DecisionFilter(ChoiceFilter):
    """What became of it."""

    title = gettext_lazy("state")
    parameter_name = "state"
    conditions = {word: (label, Q(state=word)) for word, (label, _kind) in _STATES.items()}


class ResetAdmin(RecordAdmin):
    """The list and one page per request."""

    detail_template = "staff/reset.html"
    list_title = gettext_lazy("Second-step resets")
    lead = gettext_lazy("People who lost their second step. A reset is asked for on the page of the person.")
    list_display = ("number", "whom", "state_word", "source_word", "asked_by", "when")
    list_filter = (DecisionFilter,)
    search_fields = ("user__email",)
    search_help_text = gettext_lazy("E-mail address")
    ordering = ("-pk",)
    csv_columns = ("id", "user_id", "state", "source", "asked_by_id", "asked_at", "decided_by_id", "decided_at", "reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "asked_by", "decided_by")

    @admin.display(description=gettext_lazy("Number"), ordering="pk")
    def number(self, row: ResetRequest) -> int:
        return int(row.pk)

    @admin.display(description=gettext_lazy("Person"))
    def whom(self, row: ResetRequest) -> str:
        return str(row.user)

    @admin.display(description=gettext_lazy("State"), ordering="state")
    def state_word(self, row: ResetRequest) -> Any:
        return badge(*_STATES[row.state])

    @admin.display(description=gettext_lazy("Asked for by"))
    def source_word(self, row: ResetRequest) -> Any:
        return _SOURCES.get(row.source, row.source)

    @admin.display(description=gettext_lazy("Member of staff"))
    def asked_by(self, row: ResetRequest) -> str:
        return str(row.asked_by) if row.source == "staff" and row.asked_by is not None else ""

    @admin.display(description=gettext_lazy("When (UTC)"), ordering="asked_at")
    def when(self, row: ResetRequest) -> Any:
        return moment(row.asked_at)

    def extra_urls(self) -> list[URLPattern]:
        return [self.action_path("<str:object_id>/decide/", self.decide_view, "decide")]

    def detail_title(self, row: ResetRequest) -> str:
        return _("Reset %(number)d") % {"number": row.pk}

    def detail(self, request: HttpRequest, row: ResetRequest) -> dict[str, Any]:
        return {
            "state": badge(*_STATES[row.state]),
            "source": _SOURCES.get(row.source, row.source),
            "person_url": reverse("admin:accounts_user_change", args=[row.user_id]),
            "waits": row.state == ResetRequest.State.WAITING,
            "may_approve": row.source != "person" and request.user.pk not in (row.asked_by_id, row.user_id),
            "decide_url": self.object_url(row, "decide"),
        }

    def decide_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Approve or call off."""
        row = self.find(request, object_id)
        decision = request.POST.get("decision")
        if request.method == "POST" and decision in ("approve", "decline"):
            by = cast("User", request.user)  # nobody else comes here
            try:
                if decision == "approve" and row.source == "person":
                    raise reset.NotPossible("The person's own wait decides.")
                (reset.approve if decision == "approve" else reset.decline)(row.pk, by=by)
            except reset.NotPossible:
                messages.error(request, _("This cannot be decided by you, or was decided already."))
            else:
                messages.success(request, _("The second step is reset.") if decision == "approve" else _("The reset is called off."))
        return HttpResponseRedirect(self.object_url(row))


def ask(page: RecordAdmin, request: HttpRequest, user: User) -> HttpResponseBase:
    """The page that resets somebody's second step: what it ends, and a reason, which is obligatory."""
    back_url, reason = page.object_url(user), request.POST.get("reason", "").replace("\x00", "")
    status = 200
    if request.method == "POST" and reason.strip():
        try:
            waiting = reset.ask(user, reason=reason, source="staff", by=cast("User", request.user))
        except reset.NotPossible:
            messages.error(request, _("There is nothing to reset, a reset waits already, or it is your own."))
            return HttpResponseRedirect(back_url)
        waiting.refresh_from_db()
        done = waiting.state == ResetRequest.State.DONE
        messages.success(request, _("The second step is reset.") if done else _("Another member of staff must approve it now."))
        return HttpResponseRedirect(back_url if done else reverse("admin:idp_mfa_resetrequest_change", args=[waiting.pk]))
    if request.method == "POST":
        status = 400
    effects = [
        _("Authenticator apps, passkeys, phones, recovery codes and trusted browsers of this person are removed."),
        _("They are signed out everywhere (%(count)d sessions) and every refresh token ends.")
        % {"count": len(sessions.of_person(user.pk))},
        _("They are told by mail. The password stays."),
    ]
    if settings.IDP.reset_needs_approval:
        effects.insert(0, _("Nothing happens before another member of staff approves it."))
    response = page.page(
        request,
        "staff/reset_ask.html",
        title=_("Reset the second step of %(person)s") % {"person": user},
        effects=effects,
        missing=status == 400,
        longest=reset.LONGEST_REASON,
        back_url=back_url,
    )
    response.status_code = status
    return response
