"""Groups of people: made, changed, filled and deleted; how strongly their members must sign in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from idp.access import groups
from idp.access.models import Group
from idp.accounts.authentication import find
from idp.accounts.models import User

from .client_form import STRENGTHS
from .lists import RecordAdmin, badge, moment

MOST_SHOWN = 200


class GroupForm(forms.Form):
    """What staff may set; `groups` has the rules."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("What apps see in the groups claim: lower-case letters, digits and . _ : / -, for example team/finance."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("For staff only."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    min_acr = forms.ChoiceField(
        label=gettext_lazy("Weakest sign-in"),
        required=False,
        choices=[("", gettext_lazy("As everybody")), *STRENGTHS.items()],
        help_text=gettext_lazy("Members who have nothing for it set it up at their next sign-in, within the grace period."),
    )
    trusted_browsers = forms.BooleanField(
        label=gettext_lazy("Trusted browsers spare members the second step"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Only where people may trust browsers at all."),
    )


class GroupAdmin(RecordAdmin):
    """The list, and one page per group."""

    detail_template = "staff/group.html"
    list_title = gettext_lazy("Groups")
    lead = gettext_lazy("Sets of people. Apps learn of them by the scope “groups”; a group may ask more of a sign-in.")
    list_display = ("named", "description", "strength", "size", "since")
    search_fields = ("name", "description")
    search_help_text = gettext_lazy("Name or description")
    ordering = ("name",)
    csv_columns = ("name", "description", "min_acr", "trusted_browsers", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(people=Count("memberships"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    @admin.display(description=gettext_lazy("Name"), ordering="name")
    def named(self, group: Group) -> str:
        return group.name

    @admin.display(description=gettext_lazy("Weakest sign-in"), ordering="min_acr")
    def strength(self, group: Group) -> Any:
        return badge(STRENGTHS[group.min_acr]) if group.min_acr in STRENGTHS else ""

    @admin.display(description=gettext_lazy("People"), ordering="people")
    def size(self, group: Any) -> int:
        return int(group.people)

    @admin.display(description=gettext_lazy("Since"), ordering="created_at")
    def since(self, group: Group) -> Any:
        return moment(group.created_at)

    def extra_urls(self) -> list[URLPattern]:
        return [
            self.action_path("add/", self.make_view, "add"),
            self.action_path("<str:object_id>/edit/", self.edit_view, "edit"),
            self.action_path("<str:object_id>/people/", self.people_view, "people"),
            self.action_path("<str:object_id>/delete/", self.remove_view, "delete"),
        ]

    def detail(self, request: HttpRequest, row: Group) -> dict[str, Any]:
        entries = row.memberships.select_related("user").order_by("-pk")
        return {
            "strength": STRENGTHS.get(row.min_acr, ""),
            "people": [entry.user for entry in entries[:MOST_SHOWN]],
            "count": row.memberships.count(),
            "edit_url": self.object_url(row, "edit"),
            "people_url": self.object_url(row, "people"),
            "delete_url": self.object_url(row, "delete"),
        }

    def make_view(self, request: HttpRequest) -> HttpResponseBase:
        """A new group."""
        form = GroupForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                group = groups.create(by=request.user.pk, **form.cleaned_data)
            except groups.GroupError as error:
                form.add_error(error.member, _explained(error))
            else:
                messages.success(request, _("The group is there. Put people into it."))
                return HttpResponseRedirect(self.object_url(group))
        return self._form(request, form, title=_("Add a group"), back_url=self.list_url())

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Change what it is called and what it asks."""
        group = self.find(request, object_id)
        form = GroupForm(request.POST or None, initial={name: getattr(group, name) for name in groups.MEMBERS})
        if request.method == "POST" and form.is_valid():
            try:
                groups.change(group, by=request.user.pk, **form.cleaned_data)
            except groups.GroupError as error:
                form.add_error(error.member, _explained(error))
            else:
                messages.success(request, _("Saved. It holds everywhere within a second."))
                return HttpResponseRedirect(self.object_url(group))
        return self._form(request, form, title=group.name, back_url=self.object_url(group))

    def people_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Put one person in, by address or number, or out."""
        group = self.find(request, object_id)
        if request.method == "POST":
            person = _person(request.POST.get("person", ""))
            if person is None:
                messages.error(request, _("There is nobody with this address."))
            elif request.POST.get("decision") == "remove":
                if groups.remove(group, person, by=request.user.pk):
                    messages.success(request, _("%(person)s is out of the group.") % {"person": person})
            elif groups.add(group, person, by=request.user.pk):
                messages.success(request, _("%(person)s is in the group.") % {"person": person})
            else:
                messages.warning(request, _("%(person)s was in the group already.") % {"person": person})
        return HttpResponseRedirect(self.object_url(group))

    def remove_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Delete, after showing what that means."""
        group = self.find(request, object_id)
        if request.method == "POST":
            groups.delete(group, by=request.user.pk)
            messages.success(request, _("The group is deleted."))
            return HttpResponseRedirect(self.list_url())
        count = group.memberships.count()
        return self.page(
            request,
            "staff/confirm.html",
            title=_("Delete %(name)s") % {"name": group.name},
            effects=[
                ngettext("%(count)d person leaves it.", "%(count)d people leave it.", count) % {"count": count},
                _("Apps no longer see it in the groups claim: people may lose what they had there."),
                _("What it asked of their sign-in is not asked any more."),
            ],
            label=_("Delete the group"),
            danger=True,
            back_url=self.object_url(group),
        )

    def _form(self, request: HttpRequest, form: GroupForm, **context: Any) -> HttpResponseBase:
        response = self.page(request, "staff/group_form.html", form=form, **context)
        response.status_code = 400 if form.is_bound else 200
        return response


def _person(text: str) -> User | None:
    """By sub or address."""
    if not text or len(text) > 254 or "\x00" in text:
        return None
    try:
        return User.objects.filter(pk=UUID(text.strip())).first()
    except ValueError:
        return find(text)


def _explained(error: groups.GroupError) -> str:
    """The rule in the reader's language."""
    return {
        "name": _("Another group has this name, or it has other characters than lower-case letters, digits and . _ : / -."),
        "description": _("Use one line of at most 200 characters."),
    }.get(error.member, _("Choose one of these."))
