"""Every page between "sign in" and "signed in", and those of a forgotten password."""

from django.urls import path

from . import login, password_change, recovery, second_factor, signup

urlpatterns = [
    path("login", login.login, name="login"),
    path("login/second-factor", second_factor.second_factor, name="second_factor"),
    path("login/disabled", login.disabled, name="account_disabled"),
    path("signup", signup.signup, name="signup"),
    path("signup/verify", signup.verify, name="verify_email"),
    path("signup/verify/resend", signup.resend, name="resend_code"),
    path("password/forgot", recovery.forgot, name="password_forgot"),
    path("password/forgot/sent", recovery.sent, name="password_sent"),
    path("password/reset", recovery.reset, name="password_reset"),
    path("account/password", password_change.change, name="password_change"),
    path(".well-known/change-password", recovery.well_known, name="well_known_change_password"),
]
