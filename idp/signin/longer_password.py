"""A password that was long enough beside a second factor, and is not without one: a longer one is chosen before anybody gets in."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from idp.accounts import allauth as seam
from idp.accounts import passwords, people, recovery
from idp.accounts.models import User
from idp.mfa import factors

from .continuation import Continuation, fields_of
from .forms import NewPasswordForm
from .pages import handles_passwords, page

KEY = "longer_password"


class LongerPasswordStage(seam.Stage):
    """After the second step: whoever has one keeps the password (`IDP_PASSWORD_MIN_LENGTH_WITH_SECOND_FACTOR`)."""

    key = KEY
    urlname = "longer_password"

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        user = self.login.user
        assert isinstance(user, User)
        if not user.short_password or factors.required(user):
            return None, True
        self.state["epoch"] = user.credential_epoch
        return HttpResponseRedirect(reverse(self.urlname)), True


@require_http_methods(["GET", "HEAD", "POST"])
@handles_passwords
def choose(request: HttpRequest) -> HttpResponseBase:
    """`/login/longer-password`: only where a sign-in waits for it."""
    continuation = Continuation(request)
    stage = seam.pending(request, KEY)
    if stage is None:
        return HttpResponseRedirect(continuation.url if request.user.is_authenticated else continuation.along("/login"))
    user = stage.login.user
    assert isinstance(user, User)
    if request.method != "POST":
        carried = fields_of(stage.login.redirect_url or "")
        if carried and not continuation.fields:
            return HttpResponseRedirect(f"{request.path}?{urlencode(carried)}")
        return page(request, "longer_password", continuation=continuation, form=NewPasswordForm(), person=user)
    form = NewPasswordForm(request.POST)
    if form.is_valid():
        try:
            passwords.validate(form.cleaned_data["password"], context=passwords.context_words(email=user.email, names=recovery.names(user)))
        except ValidationError as error:
            form.add_error("password", error)
    if not form.is_valid():
        return page(request, "longer_password", continuation=continuation, form=form, person=user)
    try:
        with transaction.atomic():
            people.change_password(user, form.cleaned_data["password"])
            target = continuation.url if continuation.fields else None
            return seam.go_on(request, stage, continue_to=target, client_id=continuation.client_id)
    except people.Overtaken:
        seam.abandon(request)
        return HttpResponseRedirect(continuation.along("/login"))
