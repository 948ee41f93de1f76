"""The event log: who did what, when, from where."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from idp.accounts.models import User
from idp.audit import search
from idp.events.catalogue import CATALOGUE
from idp.events.models import EventRecord
from idp.events.partitions import first_id
from idp.notifications import replay
from idp.oidc.models import RefusedRequest

from .lists import ChoiceFilter, RecordAdmin, RecordedFilter, TimeFilter, badge, identifier, moment

_BAD = {"sign_in.failed", "code.replayed", "refresh_token.replayed", "account.locked", "consent.denied"}


class NameFilter(ChoiceFilter):
    """One kind of event; the choices are the catalogue, not a query over the table."""

    title = _("event")
    parameter_name = "name"
    conditions = {name: (name, Q(name=name)) for name in sorted(CATALOGUE)}


class StaffActionFilter(ChoiceFilter):
    """What somebody did for somebody else."""

    title = _("done by")
    parameter_name = "by"
    conditions = {"staff": (_("staff"), Q(by__isnull=False))}


class SinceFilter(TimeFilter):
    """From a point in time on."""

    title = _("from")
    parameter_name = "since"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        moment = self.moment()
        return queryset if moment is None else queryset.filter(pk__gte=first_id(moment))


class UntilFilter(TimeFilter):
    """Before a point in time."""

    title = _("until")
    parameter_name = "until"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        moment = self.moment()
        return queryset if moment is None else queryset.filter(pk__lt=first_id(moment))


class EventAdmin(RecordAdmin):
    """The list and one page per event."""

    detail_template = "staff/event.html"
    list_title = _("Event log")
    lead = _("Every sign-in, token, consent and change, newest first. Nothing here holds a password or a token.")
    list_display = ("event", "person_shown", "client", "when", "from_where", "done_by")
    list_display_links = ("event",)
    list_filter = (NameFilter, RecordedFilter, SinceFilter, UntilFilter, StaffActionFilter)
    search_fields = ("request_id",)
    search_help_text = _("E-mail, sub, client_id, request id, or the reference of an error page; several narrow the search")
    ordering = ("-id",)
    csv_columns = ("id", "at", "name", "person", "by", "client_id", "ip", "user_agent", "request_id", "data")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        def address(column: str) -> Subquery:
            return Subquery(User.objects.filter(pk=OuterRef(column)).values("email")[:1])

        return super().get_queryset(request).annotate(person_email=address("person"), by_email=address("by"))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """Whole identifiers only, which all must fit: parts of them would read the whole table."""
        return search.narrow(queryset, search_term), False

    @admin.display(description=_("Event"))
    def event(self, record: EventRecord) -> Any:
        return badge(record.name, "warn" if record.name in _BAD else "")

    @admin.display(description=_("Person"))
    def person_shown(self, record: Any) -> Any:
        return record.person_email or (identifier(record.person) if record.person else "")

    @admin.display(description="client_id")
    def client(self, record: EventRecord) -> Any:
        return identifier(record.client_id) if record.client_id else ""

    @admin.display(description=_("From"))
    def from_where(self, record: EventRecord) -> str:
        return record.ip

    @admin.display(description=_("Done by"))
    def done_by(self, record: Any) -> Any:
        return record.by_email or (identifier(record.by) if record.by else "")

    @admin.display(description=_("When (UTC)"))
    def when(self, record: EventRecord) -> Any:
        return moment(record.at)

    def extra_urls(self) -> list[URLPattern]:
        return [*super().extra_urls(), self.action_path("<str:object_id>/send/", self.send_view, "send")]

    def send_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send it again to a receiver of events: this one, or all of its person."""
        row = self.find(request, object_id)
        back = self.object_url(row)
        if request.method == "POST":
            receiver, _separator, what = request.POST.get("what", "").partition(" ")
            if receiver not in settings.EVENT_RECEIVERS:
                raise Http404
            person = what == "person" and row.person is not None
            chosen = replay.choose(person=row.person) if person else replay.choose().filter(pk=row.pk)
            count = replay.replay(chosen, receiver=receiver, by=request.user.pk)
            text = ngettext("%(count)d message is on its way.", "%(count)d messages are on their way.", count)
            messages.success(request, text % {"count": count})
            return HttpResponseRedirect(back)
        options = [(name, gettext("This event to “%(receiver)s”") % {"receiver": name}) for name in settings.EVENT_RECEIVERS]
        if row.person is not None:
            options += [
                (f"{name} person", gettext("All events of this person to “%(receiver)s”") % {"receiver": name})
                for name in settings.EVENT_RECEIVERS
            ]
        return self.page(
            request,
            "staff/confirm.html",
            title=gettext("Send %(event)s again") % {"event": row.name},
            effects=[
                gettext(
                    "Only what the receiver asked for is sent, with the ids that it had before: whoever keeps those sees a repetition."
                ),
                gettext("It leaves behind everything that is new."),
            ],
            choice=("what", gettext("What is sent again?"), options),
            label=gettext("Send again"),
            back_url=back,
        )

    def detail_title(self, row: EventRecord) -> str:
        return row.name

    def detail(self, request: HttpRequest, row: EventRecord) -> dict[str, Any]:
        kind = CATALOGUE.get(row.name)
        data = {name: value for name, value in row.data.items() if name != "changes"}
        changed = [(name, _side(sides, "old"), _side(sides, "new")) for name, sides in row.data.get("changes", {}).items()]
        return {
            "send_url": self.object_url(row, "send"),
            "deliveries_url": f"{reverse('admin:events_delivery_changelist')}?q={row.pk}",
            "changed": changed,
            "meaning": (kind.__doc__ or "").split("\n\n")[0] if kind else "",
            "data": json.dumps(data, indent=2, ensure_ascii=False) if data else "",
            "refusals": RefusedRequest.objects.filter(request_id=row.request_id)[:5] if row.request_id else [],
        }


def _side(sides: dict[str, Any], side: str) -> str:
    if side not in sides:
        return ""
    value = sides[side]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
