"""The event log: who did what, when, from where."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from idp.accounts.models import User
from idp.audit import search
from idp.events.catalogue import CATALOGUE
from idp.events.models import EventRecord
from idp.events.partitions import first_id
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

    def detail_title(self, row: EventRecord) -> str:
        return row.name

    def detail(self, request: HttpRequest, row: EventRecord) -> dict[str, Any]:
        kind = CATALOGUE.get(row.name)
        data = {name: value for name, value in row.data.items() if name != "changes"}
        changed = [(name, _side(sides, "old"), _side(sides, "new")) for name, sides in row.data.get("changes", {}).items()]
        return {
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
