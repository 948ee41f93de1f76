"""The profile as a form: one field for each attribute that the person may change, made from its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _

from idp.accounts import claims
from idp.accounts.attributes import PART_LABELS, Attribute, attributes

if TYPE_CHECKING:
    from django.utils.functional import Promise

LONGEST = 12_000  # more than a whole profile may hold
ONE_PER_LINE = gettext_lazy("One per line.")
# What password managers and browsers fill in (HTML, autofill detail tokens).
AUTOFILL = {
    "name": "name", "given_name": "given-name", "middle_name": "additional-name", "family_name": "family-name", "nickname": "nickname",
    "website": "url", "picture": "photo", "gender": "sex", "birthdate": "bday", "locale": "language",
    "address.street_address": "street-address", "address.postal_code": "postal-code", "address.locality": "address-level2",
    "address.region": "address-level1", "address.country": "country-name",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Section:
    """Some fields that belong together; `title` is empty for attributes that are one field."""

    title: str | Promise
    fields: list[forms.BoundField]


class ProfileForm(forms.Form):
    """Shape only: what a value may be is judged by the attribute's schema, in one place (`accounts.claims`)."""

    version = forms.CharField(widget=forms.HiddenInput, required=False, max_length=40)

    def __init__(self, *args: Any, values: Mapping[str, Any], **kwargs: Any) -> None:
        self._before = values
        initial = kwargs.pop("initial", {})
        super().__init__(*args, **kwargs)
        for name, attribute in editable().items():
            value = values.get(name)
            parts = _parts(attribute)
            if parts is None:
                self.fields[name] = _field(name, attribute.schema, attribute.label)
                self.initial[name] = _shown(attribute.schema, value)
                continue
            for part, schema in parts.items():
                self.fields[f"{name}.{part}"] = _field(f"{name}.{part}", schema, PART_LABELS.get(part, part))
                self.initial[f"{name}.{part}"] = _shown(schema, value.get(part) if isinstance(value, Mapping) else None)
        self.initial.update(initial)

    @property
    def sections(self) -> Iterator[Section]:
        """The visible fields in the order of the declaration."""
        for name, attribute in editable().items():
            parts = _parts(attribute)
            fields = [self[name]] if parts is None else [self[f"{name}.{part}"] for part in parts]
            yield Section("" if parts is None else attribute.label, fields)

    def changes(self) -> dict[str, Any]:
        """What was entered, as attributes; text that is no number or no JSON stays text, for the schema to refuse.

        A field that did not come with the form stays as it is: leaving it out is no way to empty it.
        """
        found: dict[str, Any] = {}
        for name, attribute in editable().items():
            parts = _parts(attribute)
            if not any(field in self.data for field in ([name] if parts is None else [f"{name}.{part}" for part in parts])):
                continue
            if parts is None:
                found[name] = _read(attribute.schema, self.cleaned_data.get(name, ""))
                continue
            before = self._before.get(name)
            # Members that have no field stay as they are.
            members = dict(before) if isinstance(before, Mapping) else {}
            for part, schema in parts.items():
                if f"{name}.{part}" not in self.data:
                    continue
                members.pop(part, None)
                value = _read(schema, self.cleaned_data.get(f"{name}.{part}", ""))
                if value not in (None, "", []):
                    members[part] = value
            found[name] = members or None
        return found

    def refuse(self, error: claims.ClaimError) -> None:
        """Put each reason beside its field."""
        for problem in error.problems:
            name, _slash, rest = problem.path.lstrip("/").partition("/")
            place = f"{name}.{rest.partition('/')[0]}"
            self.add_error(place if place in self.fields else name if name in self.fields else None, problem.reason)


def editable() -> dict[str, Attribute]:
    """Attributes that people see and change themselves."""
    return {name: each for name, each in attributes().items() if "person" in each.write and "person" in each.read}


def _parts(attribute: Attribute) -> Mapping[str, Any] | None:
    """The members of an object that get fields of their own; None = the attribute is one field."""
    properties = attribute.schema.get("properties")
    if attribute.schema["type"] != "object" or not isinstance(properties, Mapping) or not all(map(_is_plain, properties.values())):
        return None
    return properties


def _is_plain(schema: Any) -> bool:
    return isinstance(schema, Mapping) and (schema.get("type") in ("string", "integer", "number", "boolean") or _is_list(schema))


def _is_list(schema: Mapping[str, Any]) -> bool:
    items = schema.get("items")
    return schema.get("type") == "array" and isinstance(items, Mapping) and items.get("type") == "string"


def _field(name: str, schema: Mapping[str, Any], label: Any) -> forms.Field:
    kind: str = schema["type"]
    hint: Any = ""
    attrs: dict[str, Any] = {"autocomplete": AUTOFILL.get(name, "off")}
    choices = _choices(name, schema)
    if choices:
        return _Choice(label=label, required=False, choices=[("", "—"), *choices], widget=forms.Select(attrs=attrs))
    widget: forms.Widget = forms.TextInput(attrs=attrs)
    if _is_list(schema):
        widget, hint = forms.Textarea(attrs={**attrs, "rows": 4}), ONE_PER_LINE
    elif kind in ("array", "object"):
        widget, hint = forms.Textarea(attrs={**attrs, "rows": 6, "spellcheck": "false"}), gettext_lazy("In the notation of JSON.")
    elif schema.get("format") == "lines":
        widget = forms.Textarea(attrs={**attrs, "rows": 3})
    elif kind in ("integer", "number"):
        attrs["inputmode"] = "decimal"
    elif schema.get("format") in ("web-address", "uri"):
        attrs["inputmode"] = "url"
    if isinstance(schema.get("maxLength"), int) and kind == "string":
        widget.attrs["maxlength"] = schema["maxLength"]
    if not hint and schema.get("pattern") and schema.get("examples"):
        hint = _("For example %(example)s") % {"example": schema["examples"][0]}
    # `strip` and NUL are the schema's business as well: Django's own refusal would come with another text and status.
    return _Text(label=label, required=False, widget=widget, help_text=hint, max_length=LONGEST)


class _Choice(forms.ChoiceField):
    """A choice whose list is a help, not a rule: what a person has already stays possible (`de-AT` where pages are in `de`)."""

    @property
    def known(self) -> set[str]:
        choices: Any = self.choices
        return {str(value) for value, _label in choices}

    def valid_value(self, value: Any) -> bool:
        return len(str(value)) <= 60


class _Text(forms.CharField):
    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")

    def run_validators(self, value: Any) -> None:
        if isinstance(value, str) and len(value) > LONGEST:
            raise forms.ValidationError(_("This is longer than anything we accept."))


def _choices(name: str, schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    if name == "locale":
        return [(code, str(get_language_info(code)["name_local"]).capitalize()) for code, _name in settings.LANGUAGES]
    if schema.get("type") == "boolean":
        return [("true", _("Yes")), ("false", _("No"))]
    if isinstance(schema.get("enum"), list) and schema.get("type") == "string":
        return [(str(value), str(value)) for value in schema["enum"]]
    return []


def _shown(schema: Mapping[str, Any], value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if _is_list(schema) and isinstance(value, list):
        return "\n".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, dict | list) else str(value)


def _read(schema: Mapping[str, Any], text: str) -> Any:
    text = text.strip()
    if not text:
        return None
    kind = schema["type"]
    if _is_list(schema):
        return [line.strip() for line in text.split("\n") if line.strip()]
    if kind == "boolean":
        return text == "true"
    if kind in ("integer", "number", "array", "object"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
