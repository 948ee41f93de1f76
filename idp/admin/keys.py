"""Signing keys: which signs, which is announced, which is on its way out; replaced by plan or in an emergency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from idp.kernel.clock import now
from idp.oidc.keys import rotation
from idp.oidc.models import SigningKey

from .lists import RecordAdmin, badge, identifier, moment


def state_of(key: SigningKey, present: datetime) -> tuple[Any, str]:
    """What a key does at `present`, in words and as a kind of badge."""
    if key.retires_at is not None and key.retires_at <= present:
        return gettext_lazy("former, no longer published"), ""
    if key.activates_at > present:
        return gettext_lazy("signs in %(time)s") % {"time": timeuntil(key.activates_at, present, depth=1)}, ""
    if key.retires_at is not None:
        return gettext_lazy("replaced, goes in %(time)s") % {"time": timeuntil(key.retires_at, present, depth=1)}, "warn"
    return gettext_lazy("signs"), "ok"


class KeyAdmin(RecordAdmin):
    """The list, "replace all", and the emergency exit for one."""

    change_list_template = "staff/keys.html"
    list_title = gettext_lazy("Signing keys")
    lead = gettext_lazy("A key is published before it signs and stays published until nothing that it signed is alive.")
    list_display = ("kid_shown", "signs", "state", "from_when", "until_when", "emergency")
    sortable_by = ()
    list_display_links = None
    ordering = ("algorithm", "-created_at", "pk")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("private_sealed")

    @admin.display(description="kid", ordering="kid")
    def kid_shown(self, key: SigningKey) -> Any:
        return identifier(key.kid)

    @admin.display(description=gettext_lazy("Algorithm"))
    def signs(self, key: SigningKey) -> str:
        return key.algorithm

    @admin.display(description=gettext_lazy("Signs from (UTC)"))
    def from_when(self, key: SigningKey) -> Any:
        return moment(key.activates_at)

    @admin.display(description=gettext_lazy("Published until (UTC)"))
    def until_when(self, key: SigningKey) -> Any:
        return moment(key.retires_at)

    @admin.display(description=gettext_lazy("State"))
    def state(self, key: SigningKey) -> Any:
        present = now()
        word, kind = state_of(key, present)
        if kind == "warn" and not _is_replaced(key, present):
            word, kind = _("signs, to be replaced"), "ok"
        return badge(word, kind)

    @admin.display(description=gettext_lazy("Emergency"))
    def emergency(self, key: SigningKey) -> Any:
        return format_html('<a class="danger-link" href="{}">{}</a>', self.object_url(key, "retire"), _("Withdraw…"))

    def get_urls(self) -> list[URLPattern]:
        return [
            self.action_path("", self.changelist_view, "changelist"),
            self.action_path("rotate/", self.rotate_view, "rotate"),
            self.action_path("<str:object_id>/retire/", self.retire_view, "retire"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"rotate_url": reverse("admin:oidc_signingkey_rotate"), **(extra_context or {})})

    def rotate_view(self, request: HttpRequest) -> HttpResponseBase:
        """A new key for every algorithm in use."""
        if request.method == "POST":
            made = rotation.rotate(by=request.user.pk)
            names = ", ".join(key.algorithm for key in made)
            messages.success(request, _("New keys are published: %(algorithms)s.") % {"algorithms": names})
            return HttpResponseRedirect(self.list_url())
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Replace the signing keys"),
            effects=[
                _("A new key per algorithm in use is published now, and signs once every app can have seen it."),
                _("The present keys sign until then, and stay published until nothing that they signed is alive."),
                _("No app notices, and nobody is signed out. The schedule does the same by itself."),
            ],
            label=_("Publish new keys"),
            back_url=self.list_url(),
        )

    def retire_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Emergency: a private key may be in somebody's hands."""
        key = self.find(request, object_id)
        if request.method == "POST":
            if not rotation.withdraw(key.kid, by=request.user.pk):
                raise Http404
            messages.success(request, _("The key is withdrawn; nothing that it signed is believed here any more."))
            return HttpResponseRedirect(self.list_url())
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Withdraw the key %(kid)s") % {"kid": key.kid},
            effects=[
                _("For a private key that somebody else may have. Otherwise replace the keys instead."),
                _("The key leaves the published set now; if it signs at present, a new one signs at once."),
                _(
                    "Every access token and ID token that it signed stops working here at once, in other services when their copy of the key set expires."
                ),
                _("Apps that cached the key set may refuse new sign-ins until they fetch it again."),
                _("Refresh tokens and sessions go on: apps get new tokens with them."),
            ],
            label=_("Withdraw the key now"),
            danger=True,
            back_url=self.list_url(),
        )


def _is_replaced(key: SigningKey, present: datetime) -> bool:
    """Whether the successor signs already: a key is told when it retires as soon as the next one is published."""
    assert key.retires_at is not None
    return key.retires_at - rotation.grace() <= present
