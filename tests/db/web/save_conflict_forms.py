"""The forms that change a stored record: how to open each, and what two people enter."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from tests.builders.forms import FormReader
from tests.builders.saml_identity_provider import saml_metadata
from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.ingest.change_manifest import create_manifest
from visibility.models import (
    Board,
    CustomerBrand,
    KpiNote,
    MailServer,
    Organization,
    SecuritySettings,
    SlaRule,
    Source,
    Subscription,
    Team,
    WorkCalendar,
    find_or_create_team,
)
from visibility.models.identity_provider import IdentityProvider
from visibility.models.kpi_targets import KpiTarget
from visibility.models.list_views import SavedView
from visibility.models.manifests import Manifest
from visibility.models.saml_provider import SamlProvider
from visibility.web.author import Author
from visibility.web.people.saml.change_saml_provider import change_saml_provider
from visibility.web.people.single_sign_on.change_identity_provider import change_identity_provider
from visibility.web.permissions import UserRole

PASSWORD = "a-long-password-for-tests-1"


@dataclass(frozen=True)
class Form:
    """A form of a page. `field`: the input that both change. `stored` reads its value.

    `invalid`: a value that is refused; empty if the form has none.
    """

    create: Callable[[], str]
    form_id: str
    field: str
    mine: str
    changed: str
    invalid: str
    stored: Callable[[], str]
    role: UserRole = UserRole.ADMIN
    # The texts of both versions, if they are not the entered values.
    mine_text: str = ""
    changed_text: str = ""
    # Both are sessions of the same person.
    is_own: bool = False
    # It is sent only soon after the password was entered.
    needs_password: bool = False
    # Its id is in the id of the form.
    model: Any = None

    def sessions(self) -> tuple[Client, Client]:
        """Two sessions with the form, of two people or of the same."""
        names = ("olga", "olga") if self.is_own else ("me", "olga")
        first, second = (self._sign_in(name) for name in names)
        return first, second

    def read(self, response: Any) -> FormReader:
        pk = self.model.objects.get().pk if self.model else ""
        reader = FormReader(self.form_id.format(pk=pk))
        reader.feed(response.content.decode())
        assert self.field in reader.values, sorted(reader.values)
        return reader

    def value(self, entered: str) -> str:
        """The number of `person:<name>`; any other value as it is."""
        kind, _, name = entered.partition(":")
        return str(user_of_role(UserRole.OPERATIONS, name).pk) if kind == "person" else entered

    def _sign_in(self, name: str) -> Client:
        if not self.needs_password:
            return signed_in(self.role, name)
        user = user_of_role(self.role, name)
        user.set_password(PASSWORD)
        user.save()
        client = Client()
        client.post("/signin", {"username": name, "password": PASSWORD})
        return client


def source_page() -> str:
    create_source(connector="shiphero", config={"zone": "UTC"})
    return "/sources/wms?tab=settings"


def rule_page() -> str:
    return f"/rules/{create_rule(always_open(), title='Released orders ship').code}"


def calendar_page() -> str:
    return f"/calendars/{always_open().code}"


def subscription_page() -> str:
    row = Subscription.objects.create(
        user=user_of_role(UserRole.ADMIN, "ada"), channel_settings={"address": "old@example.com"}
    )
    return f"/subscriptions/{row.pk}"


def organization_page() -> str:
    signed_in(UserRole.ADMIN, "ada").post(
        "/organization",
        {
            "name": "Acme",
            "time_zone": "UTC",
            "currency": "USD",
            "week_start": "monday",
            "fiscal_year_start": "1",
        },
    )
    return "/organization"


def mail_server_page() -> str:
    signed_in(UserRole.ADMIN, "ada").post(
        "/mail-server",
        {
            "host": "old.example.com",
            "port": "587",
            "security": "starttls",
            "username": "",
            "sender": "ops@example.com",
            "password": "",
        },
    )
    return "/mail-server"


def single_sign_on_page() -> str:
    values = {
        "name": "Acme",
        "issuer": "https://93.184.215.14",
        "client_id": "throughline",
        "client_secret": "of a test",
        "group_roles": [{"group": "it", "role": "admin"}],
    }
    by = Author(user_of_role(UserRole.ADMIN, "ada"), database_now())
    change_identity_provider(values, version=None, by=by)
    return "/people/single-sign-on"


def saml_page() -> str:
    values = {"name": "Acme", "metadata_xml": saml_metadata("https://93.184.215.14")}
    by = Author(user_of_role(UserRole.ADMIN, "ada"), database_now())
    change_saml_provider(values, version=None, by=by)
    return "/people/single-sign-on/saml"


def team_page() -> str:
    team = find_or_create_team("Warehouse")
    assert team is not None
    names = ("wilma", "walter", "wanda")
    team.members.set([user_of_role(UserRole.OPERATIONS, name) for name in names])
    team.default_owner = user_of_role(UserRole.OPERATIONS, "wilma")
    team.save()
    return f"/teams/{team.slug}"


def person_page() -> str:
    user = user_of_role(UserRole.OPERATIONS, "wilma")
    user.first_name, user.last_name = "Wilma", "West"
    user.save()
    return f"/people/{user.pk}"


def own_notifications_page() -> str:
    user = user_of_role(UserRole.ADMIN, "olga")
    user.email = "olga@example.com"
    user.save()
    Subscription.objects.create(
        user=user, channel_settings={"address": user.email}, time_zone="UTC"
    )
    return "/account/notifications"


def saved_view_page() -> str:
    view = SavedView.objects.create(
        owner=user_of_role(UserRole.ADMIN, "olga"),
        list="orders",
        name="Late",
        query="",
        created_at=database_now(),
        changed_at=database_now(),
    )
    view.team = find_or_create_team("Warehouse")
    view.save()
    return "/orders"


def board_page() -> str:
    Board.objects.create(slug="east", title="East", tiles=[{"tile": "key_figures"}], version=1)
    return "/boards/east?arrange=1"


def manifest_page() -> str:
    create_manifest("hill_3pl", copy_of="woocommerce", by=None, now=database_now())
    return "/manifests/hill_3pl"


def note_page() -> str:
    now = database_now()
    today = now.date()
    KpiNote.objects.create(
        kpi="",
        start=today,
        end=today,
        text="Go-live",
        created_at=now,
        changed_at=now,
        author=user_of_role(UserRole.ADMIN, "olga"),
    )
    return "/numbers/fill_rate"


def target_page() -> str:
    KpiTarget.objects.create(
        kpi="fill_rate",
        value=Decimal("0.9"),
        first_day=date(2026, 1, 1),
        created_by=user_of_role(UserRole.ADMIN, "olga"),
        created_at=database_now(),
    )
    return "/kpi-targets?kpi=fill_rate"


FORMS = {
    "organization": Form(
        organization_page,
        "organization-form",
        "name",
        "My name",
        "Their name",
        " ",
        lambda: Organization.objects.get().name,
    ),
    "mail server": Form(
        mail_server_page,
        "mail-server-form",
        "host",
        "mine.example.com",
        "theirs.example.com",
        " ",
        lambda: MailServer.objects.get().host,
    ),
    "source": Form(
        source_page,
        "properties-form",
        "title",
        "My title",
        "Their title",
        " ",
        lambda: Source.objects.get().title,
    ),
    "source settings": Form(
        source_page,
        "settings-form",
        "zone",
        "America/Chicago",
        "Europe/Berlin",
        "Texas",
        lambda: str(Source.objects.get().config["zone"]),
    ),
    "rule": Form(
        rule_page,
        "rule-form",
        "title",
        "My title",
        "Their title",
        " ",
        lambda: SlaRule.objects.get(kind="stuck_in_released").title,
    ),
    "calendar": Form(
        calendar_page,
        "calendar-form",
        "title",
        "My title",
        "Their title",
        " ",
        lambda: WorkCalendar.objects.get().title,
    ),
    "subscription": Form(
        subscription_page,
        "subscription-form",
        "setting.address",
        "mine@example.com",
        "theirs@example.com",
        "nonsense",
        lambda: str(Subscription.objects.get().channel_settings["address"]),
    ),
    "team": Form(
        team_page,
        "team-form",
        "default_owner",
        "person:walter",
        "person:wanda",
        "999999999",
        lambda: str(Team.objects.get().default_owner_id),
        mine_text="walter",
        changed_text="wanda",
    ),
    "person": Form(
        person_page,
        "person-form",
        "last_name",
        "Mine",
        "Theirs",
        " ",
        lambda: User.objects.get(username="wilma").last_name,
    ),
    "own notifications": Form(
        own_notifications_page,
        "subscription-form",
        "time_zone",
        "Europe/Berlin",
        "America/Chicago",
        "Texas",
        lambda: Subscription.objects.get().time_zone,
        is_own=True,
    ),
    "saved view": Form(
        saved_view_page,
        "saved-view-{pk}",
        "name",
        "Mine",
        "Theirs",
        "",
        lambda: SavedView.objects.get().name,
        model=SavedView,
        is_own=True,
    ),
    "board": Form(
        board_page,
        "board-form",
        "title",
        "Mine",
        "Theirs",
        " ",
        lambda: Board.objects.get().title,
    ),
    "note on a KPI": Form(
        note_page,
        "note-form-{pk}",
        "text",
        "Mine",
        "Theirs",
        " ",
        lambda: KpiNote.objects.get().text,
        model=KpiNote,
    ),
    "end of a target": Form(
        target_page,
        "end-target-{pk}",
        "last_day",
        "2199-05-05",
        "2199-05-09",
        "nonsense",
        lambda: str(KpiTarget.objects.get().last_day),
        model=KpiTarget,
    ),
    "brand": Form(
        lambda: "/organization/tracking-page",
        "brand-form",
        "display_name",
        "Mine",
        "Theirs",
        "x" * 81,
        lambda: CustomerBrand.objects.get().display_name,
    ),
    "manifest": Form(
        manifest_page,
        "manifest-form",
        "text",
        "Mine",
        "Theirs",
        " ",
        lambda: Manifest.objects.get().text,
    ),
    "limits of sessions": Form(
        lambda: "/people/security",
        "limits-form",
        "idle_minutes",
        "30",
        "60",
        "20160",
        lambda: str(SecuritySettings.objects.get().idle_minutes),
        mine_text="30 min",
        changed_text="1 h",
        needs_password=True,
    ),
    "checks of passwords": Form(
        lambda: "/people/security",
        "passwords-form",
        "refused_password_terms",
        "Bluefin",
        "Harbor",
        "ab",
        lambda: SecuritySettings.objects.get().refused_password_terms[0],
        needs_password=True,
    ),
    "single sign-on": Form(
        single_sign_on_page,
        "single-sign-on-form",
        "name",
        "My name",
        "Their name",
        " ",
        lambda: IdentityProvider.objects.get().name,
        needs_password=True,
    ),
    "SAML": Form(
        saml_page,
        "saml-form",
        "name",
        "My name",
        "Their name",
        " ",
        lambda: SamlProvider.objects.get().name,
        needs_password=True,
    ),
}
