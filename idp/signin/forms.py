"""The forms of the sign-in pages. Labels and errors are sentences for the person; nothing repeats what was typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from idp.accounts import passwords, sms
from idp.accounts.addresses import canonical_address
from idp.accounts.emails import MAX_LENGTH, canonical_email
from idp.accounts.phones import canonical_phone

LONGEST = _("This is longer than anything we accept.")


def takes_phones() -> bool:
    """Whether accounts here may be known by a phone number."""
    return bool(settings.IDP.signup_with != "email" or "sms_code" in settings.IDP.sign_in_methods)


class PasswordField(forms.CharField):
    """Exactly what was typed: spaces stay, nothing is sent back. What is too long to be hashed is refused here (PW-14)."""

    def __init__(self, *, autocomplete: str, **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete, "maxlength": passwords.MAX_INPUT}, render_value=False)
        super().__init__(strip=False, widget=widget, error_messages={"required": _("Enter your password.")}, **kwargs)

    def clean(self, value: Any) -> str:
        # NUL and over-long input never reach Django's own validators, which would look at all of it.
        if isinstance(value, str) and passwords.too_long(value):
            raise ValidationError(_("Use at most %(limit)d characters."), params={"limit": passwords.MAX_LENGTH}, code="too_long")
        return super().clean(value)


class EmailField(forms.CharField):
    """An address in its canonical form."""

    widget = forms.EmailInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages={"required": _("Enter your email address.")}, **kwargs)
        self.widget.attrs["maxlength"] = MAX_LENGTH

    def clean(self, value: Any) -> str:
        if isinstance(value, str) and "\x00" in value:
            raise ValidationError(_("Enter an email address, for example name@example.org."), code="invalid_email")
        return canonical_email(super().clean(value))


class PhoneField(forms.CharField):
    """A mobile number in its canonical form."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel", "maxlength": 40})
        super().__init__(widget=widget, error_messages={"required": _("Enter your mobile number.")}, **kwargs)

    def clean(self, value: Any) -> str:
        return canonical_phone(super().clean(value))


class AddressField(forms.CharField):
    """An e-mail address or, where messages can be sent, a mobile number, in its canonical form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=MAX_LENGTH, error_messages={"required": _("Enter your email address."), "max_length": LONGEST}, **kwargs
        )

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        return canonical_address(text) if sms.available() else canonical_email(text)


class IdentifierForm(forms.Form):
    """Who wants to sign in; what it is nobody checks, so that nobody learns what is an account."""

    login = forms.CharField(
        label=_("Email"),
        max_length=MAX_LENGTH,
        error_messages={"required": _("Enter your email address."), "max_length": LONGEST},
        widget=forms.TextInput(attrs={"autocomplete": "username webauthn", "inputmode": "email"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if takes_phones():
            self.fields["login"].label = _("Email or mobile number")
            self.fields["login"].widget.attrs["inputmode"] = "text"


class LoginForm(IdentifierForm):
    """Identifier and password on one page."""

    password = PasswordField(label=_("Password"), autocomplete="current-password")


class CodeRequestForm(IdentifierForm):
    """Where a code that signs in should go."""

    def clean_login(self) -> str:
        return canonical_address(self.cleaned_data["login"])


class SignUpForm(forms.Form):
    """A new account: known by an e-mail address, or by a mobile number (`by_phone`); with a `passkey` it needs no password."""

    email = EmailField(label=_("Email"))
    phone = PhoneField(label=_("Mobile number"))
    password = PasswordField(label=_("Password"), autocomplete="new-password")
    terms = forms.BooleanField(error_messages={"required": _("Accept the terms to create an account.")})

    def __init__(self, *args: Any, by_phone: bool = False, terms: bool = False, passkey: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._passkey = passkey
        self.fields["password"].required = not passkey
        self.address_name = "phone" if by_phone else "email"
        del self.fields["email" if by_phone else "phone"]
        if not terms:
            del self.fields["terms"]

    @property
    def address(self) -> str:
        """The canonical address of a form that is valid."""
        return str(self.cleaned_data[self.address_name])

    def clean_password(self) -> str | None:
        if self._passkey:
            return None
        password: str = self.cleaned_data["password"]
        passwords.validate(password, context=passwords.context_words(email=self.cleaned_data.get(self.address_name)))
        return password


class CodeForm(forms.Form):
    """The six digits from the mail or message, however they are grouped."""

    code = forms.CharField(
        label=_("Code"),
        max_length=32,
        error_messages={"required": _("Enter the code."), "max_length": _("The code has six digits.")},
    )

    def clean_code(self) -> str:
        digits = "".join(character for character in self.cleaned_data["code"] if not character.isspace() and character != "-")
        if len(digits) != 6 or not digits.isascii() or not digits.isdigit():
            raise ValidationError(_("The code has six digits."), code="malformed")
        return digits


class SecondFactorForm(forms.Form):
    """A code from an authenticator app, or a recovery code, however it is grouped."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        error_messages={"required": _("Enter the code."), "max_length": LONGEST},
    )


class NumberForm(forms.Form):
    """The number of a phone that shall get codes."""

    number = PhoneField(label=_("Mobile number"))


class EmailForm(forms.Form):
    """Whose password was forgotten. The field's name is one of those that stay (docs/pages.md)."""

    email = AddressField(label=_("Email"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if takes_phones():
            self.fields["email"].label = _("Email or mobile number")


class NewPasswordForm(forms.Form):
    """A new password after the mailbox was proved; the policy is applied where the person is known."""

    password = PasswordField(label=_("New password"), autocomplete="new-password")


class ChangePasswordForm(forms.Form):
    """The current password and a new one."""

    current = PasswordField(label=_("Current password"), autocomplete="current-password")
    password = PasswordField(label=_("New password"), autocomplete="new-password")

    def __init__(self, *args: Any, context: tuple[str, ...] = (), fewest: int = passwords.MIN_LENGTH, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._context, self._fewest = context, fewest

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        passwords.validate(password, context=self._context, fewest=self._fewest)
        if passwords.normalise(password) == passwords.normalise(self.cleaned_data.get("current", "")):
            raise ValidationError(_("This is your current password. Choose another one."), code="unchanged")
        return password
