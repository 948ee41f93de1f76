"""Shared Signals streams: who is told of what, how it goes; paused, stopped, deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from idp.events.models import Delivery
from idp.oidc.models import Client
from idp.ssf import streams
from idp.ssf.models import Stream

from .lists import ChoiceFilter, RecordAdmin, badge, identifier, moment

_KINDS = {Stream.Status.ENABLED: "ok", Stream.Status.PAUSED: "warn", Stream.Status.DISABLED: "danger"}
_WORDS = {
    Stream.Status.ENABLED.value: gettext_lazy("enabled"),
    Stream.Status.PAUSED.value: gettext_lazy("paused"),
    Stream.Status.DISABLED.value: gettext_lazy("disabled"),
}


class StatusFilter(ChoiceFilter):
    """Enabled, paused, disabled."""

    title = gettext_lazy("status")
    parameter_name = "status"
    conditions = {value: (word, Q(status=value)) for value, word in _WORDS.items()}


class StreamAdmin(RecordAdmin):
    """The list and one page per stream; receivers make and change them, staff can stop them."""

    detail_template = "staff/stream.html"
    list_title = gettext_lazy("Shared Signals")
    lead = gettext_lazy("Services that are told of ended sessions, changed credentials and accounts. They make their streams themselves.")
    list_display = ("client", "id_shown", "way", "status_shown", "waits", "changed")
    list_display_links = ("client",)
    list_filter = (StatusFilter,)
    search_fields = ("client_id",)
    search_help_text = gettext_lazy("client_id or stream_id")
    ordering = ("client_id", "created_at")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("authorization_sealed").annotate(to_poll=Count("waiting"))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(Q(client_id=term) | Q(pk=term)) if term else queryset), False

    @admin.display(description="client_id")
    def client(self, row: Stream) -> str:
        return row.client_id

    @admin.display(description="stream_id")
    def id_shown(self, row: Stream) -> Any:
        return identifier(row.pk)

    @admin.display(description=gettext_lazy("Delivery"))
    def way(self, row: Stream) -> Any:
        return _("pushed") if row.method == Stream.Method.PUSH else _("polled")

    @admin.display(description=gettext_lazy("Status"))
    def status_shown(self, row: Stream) -> Any:
        return badge(_WORDS[row.status], _KINDS[Stream.Status(row.status)])

    @admin.display(description=gettext_lazy("Waiting to be polled"))
    def waits(self, row: Any) -> int:
        return int(row.to_poll)

    @admin.display(description=gettext_lazy("Changed (UTC)"))
    def changed(self, row: Stream) -> Any:
        return moment(row.updated_at)

    def extra_urls(self) -> list[URLPattern]:
        return [
            self.action_path("<str:object_id>/status/", self.status_view, "status"),
            self.action_path("<str:object_id>/delete/", self.remove_view, "delete"),
        ]

    def detail_title(self, row: Stream) -> str:
        client = Client.objects.filter(client_id=row.client_id).values_list("name", flat=True).first()
        return client or row.client_id

    def detail(self, request: HttpRequest, row: Stream) -> dict[str, Any]:
        sent = Delivery.objects.filter(receiver=streams.RECEIVER, target=row.pk)
        return {
            "state": self.status_shown(row),
            "pushed": row.method == Stream.Method.PUSH,
            "counts": sent.aggregate(
                waiting=Count("pk", filter=Q(state=Delivery.State.WAITING)), dead=Count("pk", filter=Q(state=Delivery.State.DEAD))
            ),
            "removed": row.removed.count(),
            "choices": [(value, word) for value, word in _WORDS.items() if value != row.status],
            "status_url": self.object_url(row, "status"),
            "delete_url": self.object_url(row, "delete"),
        }

    def status_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Enable, pause, disable; the receiver is told."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        stream = self.find(request, object_id)
        try:
            streams.set_status(stream, request.POST.get("to", ""), ours=True, by=request.user.pk)
        except streams.Invalid:
            messages.error(request, _("This is no status of a stream."))
        else:
            messages.success(request, _("Saved. The receiver is told."))
        return HttpResponseRedirect(self.object_url(stream))

    def remove_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Delete, after showing what that means."""
        stream = self.find(request, object_id)
        if request.method == "POST":
            streams.delete(stream, by=request.user.pk)
            messages.success(request, _("The stream is deleted."))
            return HttpResponseRedirect(self.list_url())
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Delete the stream of %(client)s") % {"client": stream.client_id},
            effects=[
                _("Its receiver is told of nothing any more, and what waits for it is lost."),
                _("The receiver may make a new stream as long as it has the scope: take the scope away first if it must not."),
            ],
            label=_("Delete the stream"),
            danger=True,
            back_url=self.object_url(stream),
        )
