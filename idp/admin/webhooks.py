"""Webhooks: added, changed, given a new key, switched on and off, removed; what they missed is sent again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from idp.events.models import Outage
from idp.notifications import webhooks
from idp.notifications.models import Webhook

from .lists import RecordAdmin, badge, moment


class WebhookForm(forms.Form):
    """What staff may set; `webhooks` has the rules."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=2048,
        help_text=gettext_lazy("Gets each event as one signed POST."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    events = forms.CharField(
        label=gettext_lazy("Events"),
        max_length=2000,
        initial="account.*",
        help_text=gettext_lazy("Names with spaces between, whole subjects like account.*, or * for all."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    contact = forms.EmailField(
        label=gettext_lazy("Contact"),
        required=False,
        help_text=gettext_lazy("Gets a mail when the webhook is switched off because it failed for days; else the staff gets it."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


class WebhookAdmin(RecordAdmin):
    """The list, and one page per webhook."""

    detail_template = "staff/webhook.html"
    list_title = gettext_lazy("Webhooks")
    lead = gettext_lazy("Addresses that are told of events, signed, in the order in which they happened to each person.")
    list_display = ("named", "url", "events", "state_shown", "since")
    ordering = ("name", "pk")
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    @admin.display(description=gettext_lazy("Name"))
    def named(self, row: Webhook) -> str:
        return row.name

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, row: Webhook) -> Any:
        return badge(_("on"), "ok") if row.enabled else badge(_("off"), "danger" if row.disabled_because else "")

    @admin.display(description=gettext_lazy("Since"))
    def since(self, row: Webhook) -> Any:
        return moment(row.created_at)

    def extra_urls(self) -> list[URLPattern]:
        return [
            self.action_path("add/", self.make_view, "add"),
            self.action_path("<str:object_id>/edit/", self.edit_view, "edit"),
            self.action_path("<str:object_id>/switch/", self.switch_view, "switch"),
            self.action_path("<str:object_id>/key/", self.key_view, "key"),
            self.action_path("<str:object_id>/delete/", self.remove_view, "delete"),
        ]

    def detail(self, request: HttpRequest, row: Webhook) -> dict[str, Any]:
        return {
            "outage": Outage.objects.filter(receiver=webhooks.RECEIVER, target=str(row.pk)).first(),
            "deliveries_url": f"{reverse('admin:events_delivery_changelist')}?q={row.pk}",
            **{f"{name}_url": self.object_url(row, name) for name in ("edit", "switch", "key", "delete")},
        }

    def make_view(self, request: HttpRequest) -> HttpResponseBase:
        """A new webhook; its key is shown on the answer, once."""
        form = WebhookForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            try:
                row, key = webhooks.add(by=request.user.pk, **{**values, "events": values["events"].split()})
            except webhooks.WebhookError as error:
                form.add_error(None, str(error))
            else:
                return self._show_key(request, row, key)
        return self.page(request, "staff/webhook_form.html", title=_("New webhook"), form=form, back_url=self.list_url())

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Change what it is."""
        row = self.find(request, object_id)
        given = {name: getattr(row, name) for name in ("name", "url", "events", "contact")}
        form = WebhookForm(request.POST or None, initial=given)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            try:
                webhooks.update(row, {**values, "events": values["events"].split()}, by=request.user.pk)
            except webhooks.WebhookError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Saved."))
                return HttpResponseRedirect(self.object_url(row))
        return self.page(request, "staff/webhook_form.html", title=row.name, form=form, back_url=self.object_url(row))

    def switch_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """On or off."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.find(request, object_id)
        webhooks.update(row, {"enabled": not row.enabled}, by=request.user.pk)
        messages.success(request, _("The webhook is on.") if row.enabled else _("The webhook is off."))
        return HttpResponseRedirect(self.object_url(row))

    def key_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """A new signing key."""
        row = self.find(request, object_id)
        if request.method == "POST":
            dropped = request.POST.get("former") == "drop"
            return self._show_key(request, row, webhooks.rotate_key(row, drop_former=dropped, by=request.user.pk))
        return self.page(
            request,
            "staff/confirm.html",
            title=_("A new key for %(name)s") % {"name": row.name},
            effects=[
                _("The new key is shown once, on the next page."),
                _("The former key ends at the next change of the key at the latest."),
            ],
            choice=(
                "former",
                _("What becomes of the present key?"),
                [("keep", _("It signs beside the new one until the next change")), ("drop", _("It got out: it ends now"))],
            ),
            label=_("Make a new key"),
            back_url=self.object_url(row),
        )

    def remove_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Remove it."""
        row = self.find(request, object_id)
        if request.method == "POST":
            webhooks.remove(row, by=request.user.pk)
            messages.success(request, _("The webhook is removed."))
            return HttpResponseRedirect(self.list_url())
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Remove %(name)s") % {"name": row.name},
            effects=[_("It is told of nothing more."), _("What waits for it and the log of its deliveries are deleted.")],
            label=_("Remove the webhook"),
            danger=True,
            back_url=self.object_url(row),
        )

    def _show_key(self, request: HttpRequest, row: Webhook, key: str) -> HttpResponseBase:
        answer = self.page(
            request, "staff/webhook_key.html", title=_("The key of %(name)s") % {"name": row.name}, key=key, url=self.object_url(row)
        )
        answer["Cache-Control"] = "no-store"
        return answer
