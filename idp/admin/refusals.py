"""Refused requests: find one by the reference that a person or a developer was shown; what arrived, what was expected, the fix."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from idp.oidc.models import Client, RefusedRequest
from idp.oidc.protocol.refusals import CATALOGUE

from .lists import ChoiceFilter, PeriodFilter, RecordAdmin, identifier, moment

ENDPOINTS = ("authorize", "token", "userinfo", "introspect", "revoke", "register", "logout")


class CodeFilter(ChoiceFilter):
    """One entry of the catalogue."""

    title = _("reason")
    parameter_name = "code"
    conditions = {code: (code, Q(code=code)) for code in sorted(CATALOGUE)}


class EndpointFilter(ChoiceFilter):
    """Where it arrived."""

    title = _("endpoint")
    parameter_name = "endpoint"
    conditions = {name: (name, Q(endpoint=name)) for name in ENDPOINTS}


class RefusalAdmin(RecordAdmin):
    """The list and one page per refusal."""

    detail_template = "staff/refusal.html"
    list_title = _("Refused requests")
    lead = _("What apps sent that could not be answered, kept for 30 days, with secrets left out.")
    list_display = ("named", "reason", "where", "client", "when")
    list_filter = (PeriodFilter, EndpointFilter, CodeFilter)
    search_fields = ("reference",)
    search_help_text = _("Reference, request id or client_id")
    ordering = ("-at", "pk")
    csv_columns = ("reference", "at", "code", "endpoint", "client_id", "request_id", "detail")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(Q(reference=term.upper()) | Q(request_id=term) | Q(client_id=term)), False

    @admin.display(description=_("Reference"))
    def named(self, row: RefusedRequest) -> str:
        return row.reference

    @admin.display(description=_("Reason"))
    def reason(self, row: RefusedRequest) -> str:
        return row.code

    @admin.display(description=_("Endpoint"))
    def where(self, row: RefusedRequest) -> str:
        return row.endpoint

    @admin.display(description="client_id")
    def client(self, row: RefusedRequest) -> Any:
        return identifier(row.client_id) if row.client_id else ""

    @admin.display(description=_("When (UTC)"), ordering="at")
    def when(self, row: RefusedRequest) -> Any:
        return moment(row.at)

    def detail_title(self, row: RefusedRequest) -> str:
        return row.reference

    def detail(self, request: HttpRequest, row: RefusedRequest) -> dict[str, Any]:
        client = Client.objects.filter(client_id=row.client_id).first() if row.client_id else None
        return {"entry": CATALOGUE.get(row.code), "client": client}
