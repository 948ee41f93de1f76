"""The form of an app or service: its fields are metadata members (RFC 7591 2), its rules those of the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from idp.kernel.jose import ALGORITHMS
from idp.oidc.clients import metadata, redirect_uris, registry
from idp.oidc.models import Client
from idp.oidc.protocol import response_types
from idp.sessions import assurance

KINDS: dict[str, tuple[Any, Any]] = {
    "web": (gettext_lazy("Web app"), gettext_lazy("Runs on a server and can keep a secret: Django, Rails, PHP, Next.js.")),
    "spa": (gettext_lazy("Single-page app"), gettext_lazy("Runs in the browser only: React, Vue, Angular. No secret; PKCE instead.")),
    "native": (gettext_lazy("Native app"), gettext_lazy("Runs on a phone, a desktop or a command line. No secret; PKCE instead.")),
    "service": (gettext_lazy("Service"), gettext_lazy("Calls other services in its own name. Nobody signs in.")),
}
_GRANTS = {
    "authorization_code": gettext_lazy("People sign in (authorization_code)"),
    "refresh_token": gettext_lazy("Stays signed in (refresh_token)"),
    "implicit": gettext_lazy("Tokens through the browser (implicit): classic OpenID Connect only"),
    "client_credentials": gettext_lazy("Acts in its own name (client_credentials)"),
    "urn:ietf:params:oauth:grant-type:token-exchange": gettext_lazy("Exchanges ID tokens of other providers (token-exchange)"),
}
_METHODS = {
    "client_secret_basic": gettext_lazy("Secret in the Authorization header (client_secret_basic)"),
    "client_secret_post": gettext_lazy("Secret in the form (client_secret_post)"),
    "private_key_jwt": gettext_lazy("Signature with its own key (private_key_jwt)"),
    "client_secret_jwt": gettext_lazy("Signature with its secret (client_secret_jwt)"),
    "none": gettext_lazy("No secret: public app (none)"),
}
_FORMATS = {"jwt": gettext_lazy("Signed JWT (RFC 9068)"), "opaque": gettext_lazy("Opaque, looked up by introspection")}
_PROFILES = {
    "oauth21": gettext_lazy("OAuth 2.1: PKCE required"),
    "oidc": gettext_lazy("OpenID Connect: PKCE accepted, for older libraries"),
}
STRENGTHS: dict[str, Any] = {
    assurance.TWO_FACTORS: gettext_lazy("Two factors (urn:kairos:acr:mfa)"),
    assurance.PHISHING_RESISTANT: gettext_lazy("A passkey or security key (phr)"),
    assurance.HARDWARE: gettext_lazy("A security key of attested hardware (phrh)"),
}
_NOT_FOR_SERVICES = {
    "redirect_uris", "post_logout_redirect_uris", "allowed_origins", "grant_types", "response_types", "first_party", "application_type",
    "id_token_signed_response_alg", "default_max_age", "require_auth_time", "min_acr", "enrolment", "allow_trusted_browser", "policy_uri", "tos_uri",
    "backchannel_logout_uri", "frontchannel_logout_uri", "initiate_login_uri", "brand_colour", "brand_radius", "identity_providers",
}  # fmt: skip


def kind_of(client: Client) -> str:
    """Which of KINDS a client is, by what it may do."""
    if not client.metadata.get("response_types"):
        return "service"
    if client.metadata.get("application_type") == "native":
        return "native"
    return "spa" if client.token_endpoint_auth_method == "none" else "web"


def omitted(kind: str, *, adding: bool) -> set[str]:
    """Fields that make no sense for a kind of client, or that the kind decides when it is registered."""
    out = set(_NOT_FOR_SERVICES) if kind == "service" else set()
    if adding:
        out |= {"application_type", "seen"} | ({"token_endpoint_auth_method"} if kind in ("spa", "native") else set())
    return out


class LinesField(forms.CharField):
    """One value per line."""

    def __init__(self, **options: Any) -> None:
        rows = options.pop("rows", 3)
        attributes = {"rows": rows, "spellcheck": "false", "autocapitalize": "none", "class": "mono"}
        super().__init__(required=False, max_length=100_000, widget=forms.Textarea(attrs=attributes), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return [line for line in map(str.strip, super().clean(value).splitlines()) if line]


class ProvidersField(LinesField):
    """Names of other providers; nothing means all of them, a hyphen none."""

    def prepare_value(self, value: Any) -> Any:
        return "-" if value == [] else super().prepare_value(value)

    def clean(self, value: Any) -> Any:
        names = super().clean(value)
        return [] if names == ["-"] else names or None


class KeysField(forms.CharField):
    """A JSON object, or nothing."""

    def __init__(self, **options: Any) -> None:
        attributes = {"rows": 3, "spellcheck": "false", "autocapitalize": "none", "class": "mono"}
        super().__init__(required=False, max_length=100_000, widget=forms.Textarea(attrs=attributes), **options)

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2) if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value).strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is not JSON.")) from None


class OptionalField(forms.CharField):
    """A member that may be absent: an empty field means that it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, empty_value=None, max_length=2000, **options)


def _choice(labels: Mapping[str, Any], **options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(choices=list(labels.items()), **options)


def _optional_choice(labels: Mapping[str, Any], default: str, **options: Any) -> forms.TypedChoiceField:
    first = gettext_lazy("Default: %s") % default
    return forms.TypedChoiceField(choices=[("", first), *labels.items()], required=False, empty_value=None, **options)


def _pixels(size: int) -> Any:
    return format_lazy(gettext_lazy("{size} pixels"), size=size)


class ClientForm(forms.ModelForm):
    """What staff may set. `clean` applies the registry's own rules, so saving finds nothing to refuse."""

    client_name = forms.CharField(label=gettext_lazy("Name"), max_length=100, help_text=gettext_lazy("What people read when it asks."))
    client_uri = OptionalField(label=gettext_lazy("Home page"), help_text=gettext_lazy("An https address; its host is shown on consent."))
    redirect_uris = LinesField(
        label=gettext_lazy("Redirect URIs"),
        help_text=gettext_lazy("Where people return to after sign-in: one per line, character by character as the app sends it."),
    )
    post_logout_redirect_uris = LinesField(
        label=gettext_lazy("Sign-out redirect URIs"),
        rows=2,
        help_text=gettext_lazy("Where people may return to after sign-out: one per line."),
    )
    allowed_origins = LinesField(
        label=gettext_lazy("Browser origins"),
        rows=2,
        help_text=gettext_lazy(
            "Scripts of these origins may call the token endpoint and userinfo (CORS): one per line, such as https://app.example."
        ),
    )
    grant_types = forms.MultipleChoiceField(
        label=gettext_lazy("How it gets tokens"), choices=list(_GRANTS.items()), widget=forms.CheckboxSelectMultiple, required=False
    )
    response_types = forms.MultipleChoiceField(
        label=gettext_lazy("Answers to a sign-in"),
        choices=[(value, value) for value in response_types.SUPPORTED],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("“code” is all that a present-day app needs; the others need implicit and the classic rules."),
    )
    scope = forms.CharField(
        label=gettext_lazy("Scopes"),
        required=False,
        max_length=4000,
        help_text=gettext_lazy("What it may ask for, separated by spaces."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none", "class": "mono"}),
    )
    resources = LinesField(
        label=gettext_lazy("Resources"),
        rows=2,
        help_text=gettext_lazy("Services that its tokens may be for (RFC 8707): absolute URIs, one per line."),
    )
    first_party = forms.BooleanField(
        label=gettext_lazy("It is ours"),
        required=False,
        help_text=gettext_lazy("People are not asked for consent. Only for apps that you run yourself."),
    )
    identity_providers = ProvidersField(
        label=gettext_lazy("Other providers"),
        rows=2,
        help_text=gettext_lazy("Its people sign in through these only: one name per line. Empty: all of them; a hyphen: none."),
    )
    token_endpoint_auth_method = _choice(
        _METHODS,
        label=gettext_lazy("How it proves itself"),
        help_text=gettext_lazy(
            "Exactly this way is accepted. Changing it to “no secret” ends its secrets; changing it back makes a new one."
        ),
    )
    profile = _choice(
        _PROFILES, label=gettext_lazy("Rules"), help_text=gettext_lazy("Keep OAuth 2.1 unless the app's library cannot do PKCE.")
    )
    application_type = _choice(
        {"web": gettext_lazy("Web: https addresses"), "native": gettext_lazy("Native: also loopback and private schemes")},
        label=gettext_lazy("Kind of redirect URIs"),
        help_text=gettext_lazy("Native apps may use any port on 127.0.0.1 and [::1] (RFC 8252 7.3)."),
    )
    jwks_uri = OptionalField(
        label=gettext_lazy("Address of its public keys"), help_text=gettext_lazy("An https address of a JSON Web Key Set.")
    )
    jwks = KeysField(label=gettext_lazy("Its public keys"), help_text=gettext_lazy("A JSON Web Key Set, if there is no address for it."))
    access_token_format = _optional_choice(_FORMATS, "JWT", label=gettext_lazy("Access tokens"))
    access_token_alg = _optional_choice({name: name for name in ALGORITHMS}, "ES256", label=gettext_lazy("Signature of access tokens"))
    access_token_seconds = forms.IntegerField(
        label=gettext_lazy("Life of access tokens"),
        required=False,
        help_text=gettext_lazy("In seconds, 30 to 3600; empty: the server's default."),
    )
    id_token_signed_response_alg = _optional_choice(
        {name: name for name in (*ALGORITHMS, "none")},
        "RS256",
        label=gettext_lazy("Signature of ID tokens"),
        help_text=gettext_lazy("RS256 is what every library can read."),
    )
    min_acr = _optional_choice(
        STRENGTHS,
        "any",
        label=gettext_lazy("Weakest sign-in"),
        help_text=gettext_lazy("Whoever signed in more weakly proves more before the app gets an answer (min_acr)."),
    )
    enrolment = _optional_choice(
        {"block": gettext_lazy("They are refused"), "inline": gettext_lazy("They set it up on the way")},
        "inline",
        label=gettext_lazy("People who have nothing to prove it with"),
    )
    allow_trusted_browser = forms.BooleanField(
        label=gettext_lazy("A trusted browser is enough"),
        required=False,
        help_text=gettext_lazy("People who spared themselves the second step in their own browser get in; the app sees the weaker acr."),
    )
    default_max_age = forms.IntegerField(
        label=gettext_lazy("Sign-in at most this old"),
        required=False,
        help_text=gettext_lazy("In seconds; older ones must sign in again (default_max_age). Empty: the session's age does not matter."),
    )
    require_auth_time = forms.BooleanField(
        label=gettext_lazy("Time of sign-in in every ID token"),
        required=False,
        help_text=gettext_lazy("Adds auth_time also when the app does not ask for it."),
    )
    backchannel_logout_uri = OptionalField(
        label=gettext_lazy("Back-channel logout"), help_text=gettext_lazy("An https address that is told when a person signs out.")
    )
    frontchannel_logout_uri = OptionalField(
        label=gettext_lazy("Front-channel logout"),
        help_text=gettext_lazy("An https address that the browser loads when a person signs out."),
    )
    initiate_login_uri = OptionalField(
        label=gettext_lazy("Start of a sign-in"), help_text=gettext_lazy("An https address at which the app begins to sign a person in.")
    )
    logo_uri = OptionalField(label=gettext_lazy("Logo"), help_text=gettext_lazy("An https address."))
    brand_colour = OptionalField(
        label=gettext_lazy("Colour"),
        help_text=gettext_lazy("Of links and buttons while people sign in to it, like #3d4fd1. Empty: yours."),
    )
    brand_radius = forms.TypedChoiceField(
        label=gettext_lazy("Corners"),
        choices=[("", gettext_lazy("Like everywhere")), *((str(size), _pixels(size)) for size in (0, 4, 8, 10, 16, 24))],
        coerce=int,
        empty_value=None,
        required=False,
    )
    policy_uri = OptionalField(label=gettext_lazy("Privacy policy"), help_text=gettext_lazy("An https address, linked on consent."))
    tos_uri = OptionalField(label=gettext_lazy("Terms of service"), help_text=gettext_lazy("An https address, linked on consent."))
    contacts = LinesField(
        label=gettext_lazy("Contacts"), rows=2, help_text=gettext_lazy("E-mail addresses of who runs it, one per line. For you only.")
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=40)

    kind: str = "web"
    new_secret: str | None = None

    class Meta:
        model = Client
        fields: tuple[str, ...] = ()

    def __init__(self, data: Any = None, files: Any = None, *, instance: Client | None = None, initial: Any = None) -> None:
        self.before: dict[str, Any] = {} if instance is None or instance.pk is None else registry.describe(instance)
        self.start = self.before or {**registry.TYPES[self.kind], "profile": "oauth21"}
        super().__init__(data, files, instance=instance, initial={**self.start, **(initial or {})})
        self.stamp = instance.updated.isoformat() if instance is not None and instance.pk is not None else ""
        self.initial["seen"] = self.stamp
        for name in omitted(self.kind, adding=not self.before):
            del self.fields[name]
        for name, field in self.fields.items():
            if isinstance(field.widget, forms.TextInput | forms.NumberInput):
                field.widget.attrs.setdefault("autocomplete", "off")
            if name.endswith("_uri"):
                field.widget.attrs["inputmode"] = "url"

    def document(self) -> dict[str, Any]:
        """The members as the registry takes them; None means that the member is to be absent."""
        found = {name: value for name, value in self.cleaned_data.items() if name in metadata.MEMBERS}
        for name in ("contacts", "require_auth_time", "allow_trusted_browser"):
            found[name] = found.get(name) or None
        return found

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.errors:
            return self.cleaned_data
        if self.before and self.cleaned_data["seen"] != self.stamp:
            self.add_error(None, _("Somebody changed this app while you were editing it. Open it again to see what it is now."))
            return self.cleaned_data
        document = self.document()
        if self._mark_addresses(document):
            return self.cleaned_data
        try:
            registry.check(document, kind=self.kind, before=self.before)
        except metadata.InvalidMetadata as error:
            if error.member in self.fields:
                self.add_error(error.member, capfirst(str(error).removeprefix(f"{error.member} ")) + ".")
            else:
                self.add_error(None, f"{error}.")
        return self.cleaned_data

    def _post_clean(self) -> None:
        """The registry's rules are the rules; the engine's own for its model are not asked."""

    def _mark_addresses(self, document: dict[str, Any]) -> bool:
        """Say which line is wrong: a list of twenty addresses with one mistake is no fun otherwise."""
        for member in ("redirect_uris", "post_logout_redirect_uris"):
            for number, uri in enumerate(document.get(member, ()), start=1):
                reason = redirect_uris.problem(uri, application_type=document.get("application_type") or self.start["application_type"])
                if reason:
                    self.add_error(member, _("Address %(number)d %(reason)s.") % {"number": number, "reason": _(reason)})
        return bool(self.errors)
