"""Two people change the same form: nothing is overwritten silently, and both versions are shown."""

from typing import Any

import pytest

from tests.builders.users import signed_in
from tests.db.web.save_conflict_forms import FORMS
from visibility.models import Subscription
from visibility.models.list_views import SavedView
from visibility.models.master import TermMapping
from visibility.screens.sources.settings_form import NEW_SECRET
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
# The others say an error in a message, above the form with what is stored.
WITH_ERRORS = [name for name, form in FORMS.items() if form.invalid]


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("name", FORMS)
def test_both_versions_are_shown_and_the_chosen_one_is_saved(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me, other = form.sessions()
    own_value, other_value = form.value(form.mine), form.value(form.changed)
    opened, others = form.read(me.get(url)), form.read(other.get(url))
    saved = other.post(others.action, others.values | {form.field: other_value})
    assert (saved.status_code, form.stored()) == (302, other_value)
    refused = me.post(opened.action, opened.values | {form.field: own_value})
    assert (refused.status_code, form.stored()) == (409, other_value)
    page = text(refused)
    assert "Not saved: olga changed this" in page
    shown = (form.mine_text or own_value, form.changed_text or other_value)
    assert "<td>{}</td><td>{}</td>".format(*shown) in page
    resent = form.read(refused)
    assert f'form="{resent.form_id}"' in page
    assert "Take theirs</a>" in page
    # Keep mine: the form of this page is sent as it is.
    assert resent.values[form.field] == own_value
    assert me.post(resent.action, resent.values).status_code == 302
    assert form.stored() == own_value


@pytest.mark.parametrize("name", WITH_ERRORS)
def test_an_error_in_between_does_not_hide_what_others_saved(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me, other = form.sessions()
    own_value, other_value = form.value(form.mine), form.value(form.changed)
    opened, others = form.read(me.get(url)), form.read(other.get(url))
    invalid = me.post(opened.action, opened.values | {form.field: form.invalid})
    assert invalid.status_code in {400, 422}
    corrected = form.read(invalid)
    other.post(others.action, others.values | {form.field: other_value})
    refused = me.post(corrected.action, corrected.values | {form.field: own_value})
    assert (refused.status_code, form.stored()) == (409, other_value)


@pytest.mark.parametrize("name", WITH_ERRORS)
def test_an_error_after_a_change_by_others_does_not_hide_it(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me, other = form.sessions()
    own_value, other_value = form.value(form.mine), form.value(form.changed)
    opened, others = form.read(me.get(url)), form.read(other.get(url))
    other.post(others.action, others.values | {form.field: other_value})
    answer = me.post(opened.action, opened.values | {form.field: form.invalid})
    if answer.status_code != 409:  # the error is shown first, then what others saved
        corrected = form.read(answer)
        answer = me.post(corrected.action, corrected.values | {form.field: own_value})
    assert (answer.status_code, form.stored()) == (409, other_value)
    assert "olga changed this" in text(answer)


@pytest.mark.parametrize("name", FORMS)
def test_without_a_change_by_others_the_form_is_saved(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me, _ = form.sessions()
    own_value = form.value(form.mine)
    opened = form.read(me.get(url))
    assert me.post(opened.action, opened.values | {form.field: own_value}).status_code == 302
    assert form.stored() == own_value


def test_a_secret_that_was_entered_is_not_shown_and_the_page_says_so() -> None:
    form = FORMS["source settings"]
    url = form.create()
    me, other = form.sessions()
    opened, others = form.read(me.get(url)), form.read(other.get(url))
    other.post(others.action, others.values | {form.field: form.changed})
    secret = "a-new-secret-of-24-bytes-or-more"
    answer = me.post(opened.action, opened.values | {form.field: form.mine, NEW_SECRET: secret})
    assert answer.status_code == 409
    assert "enter it again before you keep your values" in text(answer)
    assert secret not in text(answer)


def test_first_own_notifications_of_another_session_are_not_overwritten() -> None:
    form = FORMS["own notifications"]
    url = form.create()
    Subscription.objects.all().delete()
    me, other = form.sessions()
    opened, others = form.read(me.get(url)), form.read(other.get(url))
    other.post(others.action, others.values | {form.field: form.changed})
    assert me.post(opened.action, opened.values | {form.field: form.mine}).status_code == 409
    assert form.stored() == form.changed


def test_conflict_of_a_saved_view_names_only_lists_that_the_person_opens() -> None:
    form = FORMS["saved view"]
    form.create()
    view = SavedView.objects.get()
    stranger = signed_in(UserRole.EXECUTIVE, "stranger")
    answer = stranger.post(f"/saved-views/{view.pk}/change", {"name": "Mine", "seen": "other"})
    assert answer.status_code in {403, 404}
    assert "Warehouse" not in text(answer)


def test_a_value_that_somebody_else_has_mapped_keeps_its_mapping() -> None:
    term = {"kind": "item", "source": "", "term": "SKU-1"}
    me, other = (signed_in(UserRole.ADMIN, name) for name in ("me", "olga"))
    assert other.post("/mappings/accept", term | {"canonical": "A-1"}).status_code == 302
    page = text(me.post("/mappings/accept", term | {"canonical": "A-2"}, follow=True))
    assert "somebody else has mapped this value meanwhile" in page
    assert list(TermMapping.objects.values_list("canonical", flat=True)) == ["A-1"]
