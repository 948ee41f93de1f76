"""Every name of allauth that `idp/accounts/allauth.py` and `idp/federation/allauth.py` lean on: a new release that moves one fails here, not at somebody's sign-in."""

from __future__ import annotations

import inspect

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.flows.login import (
    AUTHENTICATION_METHODS_SESSION_KEY,
    get_authentication_records,
    perform_login,
    perform_password_login,
    record_authentication,
)
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress, Login
from allauth.account.stages import LoginStage, LoginStageController
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import get_adapter as get_social_adapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from idp.accounts import allauth as seam
from idp.federation import allauth as federation


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_what_the_settings_name():
    assert {"allauth", "allauth.account", "allauth.socialaccount"} <= {app.name for app in apps.get_app_configs()}
    assert "allauth.mfa" not in settings.INSTALLED_APPS
    assert inspect.signature(import_string("allauth.account.middleware.AccountMiddleware")).parameters.keys() == {"get_response"}


def test_the_pipeline():
    assert parameters(perform_password_login) == ["request", "credentials", "login"]
    assert parameters(perform_login) == ["request", "login"]
    assert parameters(clear_login) == ["request"]
    assert parameters(get_authentication_records) == ["request", "user"]
    assert {"user", "redirect_url", "signup", "email", "email_verification", "state"} <= set(parameters(Login))


def test_the_records():
    assert parameters(record_authentication) == ["request", "user", "method", "extra_data"]
    assert AUTHENTICATION_METHODS_SESSION_KEY == "account_authentication_methods"


def test_a_stage_that_waits():
    assert parameters(LoginStageController.enter) == ["request", "stage_key"]
    assert parameters(LoginStage.exit) == ["self"]
    assert isinstance(seam.Stage(LoginStageController(None, Login()), None, Login()).state, dict)


def test_the_stages():
    assert parameters(LoginStage.handle) == ["self"]
    assert {"controller", "request", "login"} <= set(parameters(LoginStage.__init__))
    assert callable(LoginStageController.enter)
    stage = seam.VerifyAddressStage(LoginStageController(None, Login()), None, Login())
    assert stage.login is not None


def test_every_answer_of_the_adapter_overrides_a_question():
    own = {name for name, value in vars(seam.AccountAdapter).items() if inspect.isfunction(value)}
    assert own <= set(dir(DefaultAccountAdapter))
    assert get_adapter().__class__ is seam.AccountAdapter


def test_the_signatures_that_allauth_calls():
    for name in ("pre_login", "post_login"):
        theirs = set(parameters(getattr(DefaultAccountAdapter, name)))
        assert {"email_verification", "signal_kwargs", "email", "signup", "redirect_url"} <= theirs
    assert parameters(DefaultAccountAdapter.send_mail) == ["self", "template_prefix", "email", "context"]
    assert parameters(DefaultAccountAdapter.pre_authenticate) == ["self", "request", "credentials"]
    assert parameters(DefaultAccountAdapter.set_password) == ["self", "user", "password"]
    assert parameters(DefaultAccountAdapter.clean_password)[:3] == ["self", "password", "user"]
    assert parameters(DefaultAccountAdapter.is_open_for_signup) == ["self", "request"]
    assert parameters(DefaultAccountAdapter.get_login_stages) == ["self"]


def test_the_backend_and_the_addresses():
    assert issubclass(seam.AuthenticationBackend, AuthenticationBackend)
    assert {"user", "email", "verified", "primary"} <= {field.name for field in EmailAddress._meta.get_fields()}


def test_the_client_of_other_providers():
    assert parameters(OAuth2Client.get_access_token) == ["self", "code", "pkce_code_verifier", "extra_data"]
    assert parameters(OAuth2Client.get_redirect_url) == ["self", "authorization_url", "scope", "extra_params"]
    assert issubclass(OAuth2Error, Exception)
    made = generate_code_challenge()
    assert set(made) == {"code_verifier", "code_challenge", "code_challenge_method"}
    assert isinstance(made["code_challenge"], bytes)
    assert callable(DefaultSocialAccountAdapter.get_requests_session)
    assert get_social_adapter().__class__ is federation.SocialAccountAdapter


def test_the_table_of_linked_accounts():
    assert {"user", "provider", "uid", "extra_data", "date_joined", "last_login"} <= {field.name for field in SocialAccount._meta.fields}
    assert SocialAccount._meta.unique_together == (("provider", "uid"),)
    assert SocialAccount._meta.get_field("uid").max_length == federation.MOST_UID
    assert SocialAccount._meta.get_field("provider").max_length == 200
