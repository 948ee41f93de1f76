"""The outbox: what waits, what could not be delivered, and another try."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from idp.events.models import Delivery
from idp.notifications import delivery

from .lists import ChoiceFilter, RecordAdmin, RecordedFilter, badge, identifier, moment

MOST_AT_ONCE = 500
_KINDS = {"dead": "danger", "waiting": "warn", "done": "ok", "expired": ""}


class StateFilter(ChoiceFilter):
    """Waiting, done, dead, expired."""

    title = gettext_lazy("state")
    parameter_name = "state"
    conditions = {value: (label, Q(state=value)) for value, label in Delivery.State.choices}


class ReceiverFilter(ChoiceFilter):
    """Who gets it."""

    title = gettext_lazy("receiver")
    parameter_name = "receiver"
    conditions = {name: (name, Q(receiver=name)) for name in (*settings.RECEIVERS, *settings.EVENT_RECEIVERS)}


class DeliveryAdmin(RecordAdmin):
    """The list and one page per message; never what the message says."""

    change_list_template = "staff/deliveries.html"
    detail_template = "staff/delivery.html"
    list_title = gettext_lazy("Deliveries")
    lead = gettext_lazy("Mail, events and other messages on their way out. What they say is sealed and not shown.")
    list_display = ("id_shown", "to_whom", "what", "state_shown", "tries", "made", "why")
    search_fields = ("id",)
    search_help_text = gettext_lazy("sub, event id or webhook id")
    list_filter = (StateFilter, ReceiverFilter, RecordedFilter)
    ordering = ("-id",)
    csv_columns = ("id", "receiver", "state", "attempts", "name", "person", "created_at", "due_at", "done_at", "last_error")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("payload", "log")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """Whole identifiers only."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            wanted = UUID(term)
        except ValueError:
            return queryset.none(), False
        return queryset.filter(Q(pk=wanted) | Q(person=wanted) | Q(event=wanted) | Q(target=str(wanted))), False

    @admin.display(description=gettext_lazy("Event"))
    def what(self, row: Delivery) -> str:
        return row.name

    @admin.display(description="id")
    def id_shown(self, row: Delivery) -> Any:
        return identifier(row.pk)

    @admin.display(description=gettext_lazy("Receiver"))
    def to_whom(self, row: Delivery) -> str:
        return row.receiver

    @admin.display(description=gettext_lazy("Attempts"))
    def tries(self, row: Delivery) -> int:
        return row.attempts

    @admin.display(description=gettext_lazy("Made (UTC)"))
    def made(self, row: Delivery) -> Any:
        return moment(row.created_at)

    @admin.display(description=gettext_lazy("Last error"))
    def why(self, row: Delivery) -> str:
        return row.last_error

    @admin.display(description=gettext_lazy("State"), ordering="state")
    def state_shown(self, row: Delivery) -> Any:
        return badge(row.get_state_display(), _KINDS.get(row.state, ""))

    def extra_urls(self) -> list[URLPattern]:
        return [
            self.action_path("retry-dead/", self.retry_all_view, "retry_all"),
            self.action_path("<str:object_id>/retry/", self.retry_view, "retry"),
            self.action_path("<str:object_id>/skip/", self.skip_view, "skip"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """With a way to send all dead messages again while those are listed."""
        url = reverse("admin:events_delivery_retry_all") if request.GET.get("state") == Delivery.State.DEAD else ""
        return super().changelist_view(request, {"retry_all_url": url, **(extra_context or {})})

    def retry_all_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send every dead message again that may still be of use to somebody."""
        dead = Delivery.objects.filter(state=Delivery.State.DEAD).exclude(payload="", event=None).order_by("id")
        back = f"{self.list_url()}?state={Delivery.State.DEAD.value}"
        if request.method == "POST":
            sent = sum(delivery.retry(row, by=request.user.pk) for row in list(dead.values_list("pk", flat=True)[:MOST_AT_ONCE]))
            text = ngettext("%(count)d message is on its way again.", "%(count)d messages are on their way again.", sent)
            messages.success(request, text % {"count": sent})
            return HttpResponseRedirect(back)
        count = dead.count()
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Send dead messages again"),
            effects=[
                ngettext("%(count)d message is dead and still known.", "%(count)d messages are dead and still known.", count)
                % {"count": count},
                _("What has expired meanwhile, such as a code or link, stays dead."),
                _("Whoever refused a message for good will refuse it again: look at the last error first."),
            ],
            label=_("Send them again"),
            back_url=back,
        )

    def detail_title(self, row: Delivery) -> str:
        return _("Message to %(receiver)s") % {"receiver": row.receiver}

    def detail(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        return {
            "state": badge(row.get_state_display(), _KINDS.get(row.state, "")),
            "may_retry": delivery.may_retry(row),
            "retry_url": self.object_url(row, "retry"),
            "may_skip": row.state == Delivery.State.DEAD and row.lane is not None,
            "skip_url": self.object_url(row, "skip"),
            "attempts": [_shown(entry) for entry in reversed(row.log)],
        }

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send a dead message again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.find(request, object_id)
        if delivery.retry(row.pk, by=request.user.pk):
            messages.success(request, _("It is on its way again."))
        else:
            messages.error(request, _("It cannot be sent again: it is not dead any more, or what it said is gone."))
        return HttpResponseRedirect(self.object_url(row))

    def skip_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Give a dead message up, so that later ones can leave."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.find(request, object_id)
        if delivery.skip(row.pk, by=request.user.pk):
            messages.success(request, _("It is given up; later messages about the same person leave now."))
        else:
            messages.error(request, _("It is not dead any more."))
        return HttpResponseRedirect(self.object_url(row))


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    details = {name: entry[name] for name in ("request", "response") if name in entry}
    return {**entry, "details": json.dumps(details, indent=2, ensure_ascii=False) if details else ""}
