"""The development inbox: a page for people, JSON for scripts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from csp.constants import NONE, SELF
from csp.decorators import csp_replace, csp_update
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from idp.notifications import inbox

if TYPE_CHECKING:
    from django.http import HttpRequest

MOST_SHOWN = 30
# No script, no request to anywhere, no address of its own: what a mail program would allow, or less.
MAIL_POLICY = {"default-src": [NONE], "style-src": ["'unsafe-inline'"], "img-src": ["data:"], "frame-ancestors": [SELF], "sandbox": [""]}


@require_safe
@csp_update({"frame-src": [SELF]})
def page(request: HttpRequest) -> HttpResponse:
    """Every mail and text message that this installation would have sent, newest first; `?to=` for one address."""
    to = request.GET.get("to", "").strip()
    mails = inbox.messages(to or None)[:MOST_SHOWN]
    for mail in mails:
        mail["sent"] = datetime.fromisoformat(str(mail["date"])) if mail["date"] else None
    return render(request, "playground/inbox.html", {"mails": mails, "to": to})


@require_safe
def as_json(request: HttpRequest) -> JsonResponse:
    """The same for scripts: a list with id, kind, to, from, subject, date, text, html, links."""
    return JsonResponse(inbox.messages(request.GET.get("to", "").strip() or None), safe=False)


@require_safe
@xframe_options_sameorigin
@csp_replace(MAIL_POLICY)  # type: ignore[arg-type]  # its annotation forgets views that take an argument from the URL
def markup(_request: HttpRequest, mail_id: str) -> HttpResponse:
    """The HTML part of one mail, for a sandboxed frame."""
    html = next((str(mail["html"]) for mail in inbox.messages() if mail["id"] == mail_id), "")
    if not html:
        raise Http404
    return HttpResponse(html)
