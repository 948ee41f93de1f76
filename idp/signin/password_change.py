"""`/account/password`: a signed-in person changes their password by proving the current one."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from idp import sessions
from idp.accounts import authentication, browsers, passwords, people, recovery
from idp.accounts.models import User

from .continuation import Continuation
from .forms import ChangePasswordForm
from .pages import fewest_characters, handles_passwords, page, password_hint, throttled, wait_words


@require_http_methods(["GET", "HEAD", "POST"])
@handles_passwords
def change(request: HttpRequest) -> HttpResponseBase:
    """Shares the lock with signing in (PW-12); ends every other session and refresh family; this browser stays signed in."""
    continuation = Continuation(request)
    user = request.user
    if not user.is_authenticated:
        return HttpResponseRedirect("/login?next=/account/password")
    assert isinstance(user, User)
    if not user.has_usable_password():
        # Nothing to prove oneself with: the mailbox is the proof, never "no question asked" (trap 7 of allauth's set-password view).
        return page(request, "password_none", section="password", continuation=continuation, person=user)
    hint = password_hint(user)
    words = passwords.context_words(email=user.email, names=recovery.names(user))
    if request.method != "POST":
        done = request.GET.get("done") == "1"
        return page(
            request,
            "password_change",
            section="password",
            continuation=continuation,
            form=ChangePasswordForm(),
            person=user,
            done=done,
            password_hint=hint,
        )
    form = ChangePasswordForm(request.POST, context=words, fewest=fewest_characters(user))
    if form.is_valid():
        found = authentication.attempt(request, user=user, password=form.cleaned_data["current"])
        if found.refusal == "throttled":
            return throttled(request, continuation=continuation, retry_after=found.retry_after)
        if found.user is not None and _change(request, user, form.cleaned_data["password"]):
            response = HttpResponseRedirect("/account/password?done=1")
            browsers.remember(request, response, user)  # known under the new credentials as well
            return response
        locked = _("Too many wrong passwords. Try again in %(wait)s, or reset your password.") % {"wait": wait_words(found.retry_after)}
        form.add_error("current", locked if found.refusal == "locked" else _("This is not your current password."))
    return page(request, "password_change", section="password", continuation=continuation, form=form, person=user, password_hint=hint)


def _change(request: HttpRequest, user: User, password: str) -> bool:
    try:
        with transaction.atomic():
            people.change_password(user, password)
    except people.Overtaken:
        return False
    request.session.cycle_key()
    sessions.keep_after_credential_change(request, user)
    return True
