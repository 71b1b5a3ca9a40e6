"""Create the first administrator, the organization and its calendar, all or nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import Group, User
from django.db import transaction

from visibility.alerts.change_calendars import create_calendar
from visibility.preferences.change_organization import (
    InvalidOrganization,
    change_organization,
    check_organization,
)
from visibility.sla.calendar_versions import CalendarVersion
from visibility.sla.check_calendar import InvalidCalendarValues, check_definition
from visibility.web.people.allauth_adapters import audit_account
from visibility.web.people.passwords.known_terms import SENTENCE, consists_of_terms
from visibility.web.people.setup_link import end_setup_link, is_valid_setup_link, lock_set_up
from visibility.web.permissions import UserRole

ORGANIZATION_FIELDS = ("name", "time_zone", "currency", "week_start", "fiscal_year_start")
CALENDAR_FIELDS = ("holidays", "subdivision")
CALENDAR_TITLE = "Working hours"
WORKING_DAYS = ("mon", "tue", "wed", "thu", "fri")
WORKING_HOURS = {day: [["08:00", "17:00"]] for day in WORKING_DAYS}
# The field of the form for the field of a calendar that an error names.
FORM_FIELDS = {"zone": "time_zone"}


class AdministratorForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """Username and name of the first administrator; each error is at its field."""

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email")
        help_texts = {"username": ""}


class SetUpForm:
    """What was entered, checked: `errors` has a sentence per field, `passwords` its own."""

    def __init__(self, entered: Mapping[str, str]) -> None:
        self.entered = entered
        self.errors: dict[str, str] = {}
        self.administrator = AdministratorForm(self.entered)
        for name, messages in self.administrator.errors.items():
            self.errors[name] = " ".join(map(str, messages))
        # The password must not resemble the name, which the validators of the server may check.
        self.passwords = SetPasswordForm(self.administrator.instance, self.entered)
        try:
            self.organization = check_organization(self._values_of(ORGANIZATION_FIELDS))
        except InvalidOrganization as error:
            self.errors |= error.errors
        try:
            check_definition(CalendarVersion(), self._calendar_values())
        except InvalidCalendarValues as error:
            for name, text in error.errors.items():
                self.errors.setdefault(FORM_FIELDS.get(name, name), text)

    def is_valid(self) -> bool:
        """Whether everything can be created."""
        if self.passwords.is_valid() and consists_of_terms(
            self.passwords.cleaned_data["new_password1"], [self.entered.get("name", "")]
        ):
            # The organization is not stored yet.
            self.passwords.add_error("new_password2", SENTENCE)
        return self.passwords.is_valid() and not self.errors

    def _values_of(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: self.entered.get(name, "") for name in names}

    def _calendar_values(self) -> dict[str, Any]:
        zone = self.entered.get("time_zone", "").strip()
        return {"zone": zone, "hours": WORKING_HOURS, **self._values_of(CALENDAR_FIELDS)}

    def create(self, token: str, now: datetime) -> User | None:
        """Create everything with the link of this token; None if the link is no longer valid."""
        with transaction.atomic():
            lock_set_up()
            if not is_valid_setup_link(token):
                return None
            user: User = self.administrator.save(commit=False)
            self.passwords.user = user
            self.passwords.save()
            user.groups.add(Group.objects.get_or_create(name=UserRole.ADMIN.value)[0])
            audit_account("account.created", user, roles=[UserRole.ADMIN.value])
            values = {"title": CALENDAR_TITLE, **self._calendar_values()}
            calendar = create_calendar(values, by=user, now=now)
            change_organization(
                {**self.organization, "calendar": calendar.code}, version=None, by=user, now=now
            )
            end_setup_link()
            return user
