"""Every page between "sign in" and "signed in", and those of a forgotten password."""

from django.urls import path

from . import code_sign_in, enrol, login, lost_factor, passkeys, password_change, recovery, second_factor, signup, terms, upstream

urlpatterns = [
    path("login", login.login, name="login"),
    path("login/second-factor", second_factor.second_factor, name="second_factor"),
    path("login/passkey", passkeys.sign_in, name="passkey_sign_in"),
    path("login/passkey/options", passkeys.options, name="passkey_options"),
    path("login/second-factor/passkey", passkeys.as_second_factor, name="passkey_second_factor"),
    path("login/second-factor/passkey/options", passkeys.second_factor_options, name="passkey_second_factor_options"),
    path("login/enrol", enrol.enrol, name="enrol"),
    path("login/lost-factor", lost_factor.lost_factor, name="lost_factor"),
    path("login/code", code_sign_in.enter, name="code_sign_in"),
    path("login/code/resend", code_sign_in.resend, name="code_sign_in_resend"),
    path("login/terms", terms.accept, name="accept_terms"),
    path("login/disabled", login.disabled, name="account_disabled"),
    path("login/link", upstream.link, name="login_link"),
    path("federation/<slug:name>/start", upstream.start, name="federation_start"),
    path("federation/<slug:name>/callback", upstream.callback, name="federation_callback"),
    path("signup", signup.signup, name="signup"),
    path("signup/verify", signup.verify, name="verify_email"),
    path("signup/verify/resend", signup.resend, name="resend_code"),
    path("password/forgot", recovery.forgot, name="password_forgot"),
    path("password/forgot/sent", recovery.sent, name="password_sent"),
    path("password/forgot/sent/resend", recovery.resend, name="password_resend"),
    path("password/reset", recovery.reset, name="password_reset"),
    path("account/password", password_change.change, name="password_change"),
    path(".well-known/webauthn", passkeys.related_origins, name="well_known_webauthn"),
    path(".well-known/passkey-endpoints", passkeys.endpoints, name="well_known_passkey_endpoints"),
    path(".well-known/change-password", recovery.well_known, name="well_known_change_password"),
]
