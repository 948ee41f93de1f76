"""The second step is lost, and the deployment lets people help themselves: password, mailbox, and a wait that warns the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from idp.kernel import clock
from idp.mfa import reset, sending, stage, verification

from .continuation import Continuation
from .forms import CodeForm
from .pages import page, sent_notice, wait_words

if TYPE_CHECKING:
    from idp.accounts.models import User


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def lost_factor(request: HttpRequest) -> HttpResponseBase:
    """`/login/lost-factor`: only where a sign-in waits for the second step, so the password was right."""
    continuation = Continuation(request)
    waiting = stage.pending(request)
    if waiting is None or waiting.by_mail or not reset.offered(waiting.person):
        return HttpResponseRedirect(continuation.along("/login/second-factor"))
    user = waiting.person
    if request.method != "POST":
        return _show(request, continuation, user, CodeForm(), done=request.GET.get("done", ""))
    if "send" in request.POST:
        return HttpResponseRedirect(continuation.along(request.path, done=sending.send(sending.mailbox_of(user))))
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _show(request, continuation, user, form)
    verdict = verification.check_mail(user, form.cleaned_data["code"], client_id=continuation.client_id)
    if verdict.factor is None:
        if verdict.refusal == "wait":
            form.add_error("code", _("Too many wrong codes. Try again in %(wait)s.") % {"wait": wait_words(verdict.retry_after)})
        else:
            form.add_error("code", _("This code is not right, or too old. Ask for a new one."))
        return _show(request, continuation, user, form, status=429 if verdict.refusal == "wait" else 400)
    try:
        known = reset.of_person(user)
        if known is not None and known.due_at is not None and known.due_at <= clock.now():
            reset.finish_alone(user)
            return HttpResponseRedirect(continuation.along("/login", done="second_step_removed"))
        reset.begin_alone(user)
    except reset.NotPossible:  # staff is at it, or decided meanwhile
        return HttpResponseRedirect(continuation.along(request.path, done="not_possible"))
    return HttpResponseRedirect(continuation.along(request.path, done="begun"))


def _show(
    request: HttpRequest, continuation: Continuation, user: User, form: CodeForm, *, status: int = 200, done: str = ""
) -> HttpResponseBase:
    kind, text = sent_notice(done)
    if done == "not_possible":
        kind, text = "warn", _("Whoever runs this service is looking at your account already. Ask them.")
    known = reset.of_person(user)
    due = known.due_at if known is not None else None
    return page(
        request,
        "lost_factor",
        continuation=continuation,
        form=form,
        due=due,
        is_due=due is not None and due <= clock.now(),
        mailbox=sending.hint(sending.mailbox_of(user)),
        notice_kind=kind,
        notice=text,
        back_url=continuation.along("/login/second-factor"),
        status=status,
    )
