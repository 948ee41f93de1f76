"""Who may come in, and what every page has around it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from idp.events import emit
from idp.events.catalogue import StaffActed
from idp.events.models import EventRecord
from idp.kernel import context
from idp.kernel.clock import now
from idp.mfa import factors, step_up

from . import overview
from .lists import first_identifier

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# What Django's site would serve beside the pages of its models. We have one way to sign in, /login, and it is not here.
_NOT_SERVED = {"login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site"}
_SECTIONS: tuple[tuple[_StrPromise, str], ...] = (
    (gettext_lazy("Start"), "admin:index"),
    (gettext_lazy("Apps and services"), "admin:oidc_client_changelist"),
    (gettext_lazy("People"), "admin:accounts_user_changelist"),
    (gettext_lazy("Groups"), "admin:access_group_changelist"),
    (gettext_lazy("Second-step resets"), "admin:idp_mfa_resetrequest_changelist"),
    (gettext_lazy("Other providers"), "admin:federation_upstreamrow_changelist"),
    (gettext_lazy("Event log"), "admin:events_eventrecord_changelist"),
    (gettext_lazy("Refused requests"), "admin:oidc_refusedrequest_changelist"),
    (gettext_lazy("Deliveries"), "admin:events_delivery_changelist"),
    (gettext_lazy("Webhooks"), "admin:notifications_webhook_changelist"),
    (gettext_lazy("Shared Signals"), "admin:ssf_stream_changelist"),
    (gettext_lazy("Signing keys"), "admin:oidc_signingkey_changelist"),
)


def _second_step_first(request: HttpRequest) -> HttpResponseBase:
    """Whoever has a second step proves it; whoever has none sets one up, and comes back."""
    if factors.required(request.user):  # type: ignore[arg-type]  # nobody anonymous comes here
        return HttpResponseRedirect(f"/login?{urlencode({'again': '1', 'next': request.path})}")
    messages.warning(request, _("The staff console needs a second step. Set one up here, then open the console again."))
    return HttpResponseRedirect("/account/security")


def _recorded(request: HttpRequest, row: str) -> None:
    """Whatever staff changed is in the log, even where the page that did it forgot to say so."""
    recent = first_identifier(now() - timedelta(minutes=1))
    here = context.current().request_id
    if not EventRecord.objects.filter(pk__gte=recent, request_id=here, by=request.user.pk).exists():
        emit(StaffActed(page=request.path[:200], object=row[:64]), by=request.user.pk)


class StaffSite(AdminSite):
    """Django's admin without its sign-in pages; to whoever is signed in and no staff, nothing is here."""

    def has_permission(self, request: HttpRequest) -> bool:
        """`request.user` has passed the account gate already (`idp.sessions.middleware`)."""
        return bool(request.user.is_active and request.user.is_staff)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        guarded = super().admin_view(view, cacheable)

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path(), "/login")
            if not self.has_permission(request):
                raise Http404  # hostile case OP-01: not even a hint
            if settings.IDP.staff_needs_second_step and not step_up.has_two_factors(request):
                return _second_step_first(request)
            # PostgreSQL stores no NUL and says so with an error; in an address it is never honest (IN-14).
            if "\x00" in request.path or any("\x00" in name + "".join(request.GET.getlist(name)) for name in request.GET):
                raise SuspiciousOperation("NUL in the address")
            answer = guarded(request, *args, **kwargs)
            if request.method == "POST" and 300 <= answer.status_code < 400:
                _recorded(request, str(kwargs.get("object_id", "")))
            return answer

        return inner

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [entry for entry in super().get_urls() if getattr(entry, "name", None) not in _NOT_SERVED]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        here = request.path
        start = reverse("admin:index")
        sections = [(label, reverse(name)) for label, name in _SECTIONS]
        return {
            "title": "",
            "subtitle": None,
            "has_permission": self.has_permission(request),
            "is_popup": False,
            "site_title": _("Staff console"),
            "sections": [(label, url, here == url if url == start else here.startswith(url)) for label, url in sections],
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Is it healthy, who is signing in, what needs me."""
        context = {**self.each_context(request), "title": _("Start"), "state": overview.look()}
        return TemplateResponse(request, "staff/start.html", context)

    def app_index(self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None) -> Any:
        return HttpResponseRedirect(reverse("admin:index"))


site = StaffSite(name="admin")
