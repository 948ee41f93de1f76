"""What the lists of the console have in common: no script, few queries, nothing that an address can break."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import SuspiciousOperation
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from idp.audit import search
from idp.events import emit
from idp.events.catalogue import StaffExported
from idp.events.changes import PERSONAL
from idp.kernel.clock import now

MOST_ROWS = 5_000  # what nobody pages through anyway is not counted: the event log may have a hundred million rows


class BoundedPaginator(Paginator):
    """Counts to MOST_ROWS at most; whoever looks further back filters."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:MOST_ROWS].count() if isinstance(rows, QuerySet) else len(rows)


class StaffAdmin(admin.ModelAdmin):
    """A list with search and filters in the address. Whoever may be here may do what is offered here; nothing is by default."""

    change_list_template = "staff/list.html"
    paginator = BoundedPaginator
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None
    view_on_site = False
    empty_value_display = ""
    list_title: ClassVar[Any] = ""
    lead: ClassVar[Any] = ""
    csv_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def media(self) -> forms.Media:
        """The console needs none of Django's scripts."""
        return forms.Media()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Filters are the ones that are offered: `?password__startswith=` would be an oracle (hostile case IN-14)."""
        return lookup in {getattr(offered, "parameter_name", "") for offered in self.list_filter}

    # Who did what is in the event log, in the transaction of the change. Django's own log would only repeat it.
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Nothing."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        query = request.GET.urlencode()
        files = [(f"{self.list_url()}{form}{'?' if query else ''}{query}", form.upper()) for form in ("csv", "json") if self.csv_columns]
        context = {"title": self.list_title, "lead": self.lead, "files": files, **(extra_context or {})}
        return super().changelist_view(request, context)

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """The list as it is searched and filtered, for a spreadsheet; at most MOST_ROWS rows. Leaves an event, like `json_view`."""
        found = self._exported(request, "csv")
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}.csv"'
        writer = csv.writer(answer)
        writer.writerow(self.csv_columns)
        for row in found:
            writer.writerow([_cell(getattr(row, name)) for name in self.csv_columns])
        return answer

    def json_view(self, request: HttpRequest) -> HttpResponseBase:
        """The same as a JSON array."""
        found = self._exported(request, "json")
        rows = [{name: getattr(row, name) for name in self.csv_columns} for row in found]
        answer = JsonResponse(rows, safe=False, json_dumps_params={"ensure_ascii": False})
        answer["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}.json"'
        return answer

    def _exported(self, request: HttpRequest, form: str) -> list[Any]:
        try:
            found = list(self.get_changelist_instance(request).queryset[:MOST_ROWS])
        except IncorrectLookupParameters:
            raise SuspiciousOperation("unknown list") from None
        # What was searched for may be somebody's address: the filters are recorded, the search term is not.
        filters = tuple(sorted(f"{name}={PERSONAL if name == 'q' else request.GET[name][:100]}" for name in request.GET)[:20])
        emit(StaffExported(page=self.list_url(), format=form, rows=len(found), filters=filters), by=request.user.pk)
        return found

    def page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        """A page in the console's frame."""
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "list_url": self.list_url(), "list_title": self.list_title}
        return TemplateResponse(request, template, {**frame, **context})

    def list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def object_url(self, obj: Model, name: str = "change") -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=[quote(obj.pk)])

    def find(self, request: HttpRequest, object_id: str) -> Any:
        """The row that the address names; Http404."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404
        return found

    def action_path(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """An address of this list: `route` under the list's own, named `admin:<app>_<model>_<name>`."""
        return path(route, self.admin_site.admin_view(view), name=f"{self.opts.app_label}_{self.opts.model_name}_{name}")


class RecordAdmin(StaffAdmin):
    """A list of records that are looked at, never edited; each has a page of its own."""

    detail_template: ClassVar[str]

    def get_urls(self) -> list[URLPattern]:
        return [
            self.action_path("", self.changelist_view, "changelist"),
            self.action_path("csv", self.csv_view, "csv"),
            self.action_path("json", self.json_view, "json"),
            *self.extra_urls(),
            self.action_path("<str:object_id>/", self.detail_view, "change"),
        ]

    def extra_urls(self) -> list[URLPattern]:
        """Addresses of actions."""
        return []

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        row = self.find(request, object_id)
        return self.page(request, self.detail_template, title=self.detail_title(row), row=row, **self.detail(request, row))

    def detail_title(self, row: Any) -> str:
        return str(row)

    def detail(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Context of the page beside `row`."""
        return {}


class ChoiceFilter(admin.SimpleListFilter):
    """A few named conditions; a value that is none of them filters nothing."""

    conditions: ClassVar[Mapping[str, tuple[Any, Q]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [(word, label) for word, (label, _condition) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.conditions.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen[1])


class PeriodFilter(admin.SimpleListFilter):
    """The last hour, day, week or month."""

    title = _("when")
    parameter_name = "when"
    periods: ClassVar[dict[str, tuple[Any, timedelta]]] = {
        "hour": (_("last hour"), timedelta(hours=1)),
        "day": (_("last 24 hours"), timedelta(days=1)),
        "week": (_("last 7 days"), timedelta(days=7)),
        "month": (_("last 30 days"), timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [(word, label) for word, (label, _length) in self.periods.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        period = self.periods.get(self.value() or "")
        return queryset if period is None else self.since(queryset, now() - period[1])

    def since(self, queryset: QuerySet[Any], moment: datetime) -> QuerySet[Any]:
        """The rows of after `moment`, by the column `at`."""
        return queryset.filter(at__gte=moment)


class RecordedFilter(PeriodFilter):
    """The same for rows whose identifiers are ordered by time: the primary key answers, no further index is needed."""

    def since(self, queryset: QuerySet[Any], moment: datetime) -> QuerySet[Any]:
        return queryset.filter(pk__gte=first_identifier(moment))


def first_identifier(moment: datetime) -> UUID:
    """The lowest UUID version 7 of this millisecond (RFC 9562 5.7, `idp.events.identifiers`)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


class TimeFilter(admin.SimpleListFilter):
    """A point in time that is typed in, UTC; a subclass says which side of it. What is no time filters nothing."""

    template = "staff/filter_time.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [("", "")]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Any:
        """One choice: the field as it is, and what else is in the address."""
        kept = [(name, one) for name, values in changelist.filter_params.items() if name != self.parameter_name for one in values]
        if changelist.query:
            kept.append(("q", changelist.query))
        yield {"name": self.parameter_name, "value": self.value() or "", "kept": kept, "selected": bool(self.moment())}

    def moment(self) -> datetime | None:
        """What was typed in."""
        try:
            return search.moment(self.value())
        except ValueError:
            return None


def moment(value: datetime | None) -> SafeString | str:
    """A point in time as operators write it; everything here is UTC."""
    return (
        "" if value is None else format_html('<time class="nowrap" datetime="{}">{}</time>', value.isoformat(), f"{value:%Y-%m-%d %H:%M}")
    )


def identifier(text: Any) -> SafeString:
    """Something that a machine made."""
    return format_html('<span class="mono">{}</span>', text)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    text = "" if value is None else str(value)
    # A spreadsheet runs a cell that begins like this as a formula; names of apps and user agents are others' to choose.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def badge(text: Any, kind: str = "") -> SafeString:
    """A word with a colour; the word says it all, the colour helps the eye."""
    return format_html('<span class="badge {}">{}</span>', kind, text)
