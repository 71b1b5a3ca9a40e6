"""The steps of the set-up, each done or not by what the database contains.

Demo data does no step: a step is a fact about the customer's own systems.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import QuerySet

from visibility.models import (
    InboundMessage,
    MessageState,
    Organization,
    SlaRule,
    Source,
    Subscription,
    Team,
)
from visibility.sla.load_enabled_rules import rule_kind_codes_not_about_orders
from visibility.storage.demo_data import demo_rule_ids, is_own_order_known

PROMISE_URL = "/rules"


@dataclass(frozen=True, slots=True)
class SetUpStep:
    """One step: what it is, why, whether it is done, and the page where it is done.

    `url` is empty if this release has no page for it.
    """

    title: str
    why: str
    is_done: bool
    url: str
    action: str


@dataclass(frozen=True, slots=True)
class SetUpChecklist:
    """All steps in their order. `next` is the first that is not done."""

    steps: Sequence[SetUpStep]

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.is_done for step in self.steps)

    @property
    def next(self) -> SetUpStep | None:
        """The first step that is not done, if a page exists for it."""
        return next((step for step in self.steps if not step.is_done and step.url), None)


@dataclass(frozen=True, slots=True)
class _StepKind:
    title: str
    why: str
    check: Callable[[], bool]
    url: str
    action: str


def load_checklist(has_page: Callable[[str], bool]) -> SetUpChecklist:
    """The checklist as of now. `has_page` says whether a path has a page. One statement a step."""
    return SetUpChecklist(
        [
            SetUpStep(
                kind.title,
                kind.why,
                kind.check(),
                kind.url if has_page(kind.url) else "",
                kind.action,
            )
            for kind in STEPS
        ]
    )


def is_promise_watched() -> bool:
    """Whether a rule about orders is enabled."""
    return _enabled_order_rules().exists()


def is_own_promise_watched() -> bool:
    """Whether a rule about orders is enabled that did not come with demo data."""
    return _enabled_order_rules().exclude(pk__in=demo_rule_ids()).exists()


def _enabled_order_rules() -> QuerySet[SlaRule]:
    others = rule_kind_codes_not_about_orders()
    return SlaRule.objects.filter(enabled=True).exclude(kind__in=others)


def _is_own_message_read() -> bool:
    own = Source.objects.filter(is_demo=False)
    return InboundMessage.objects.filter(state=MessageState.APPLIED, source__in=own).exists()


STEPS = (
    _StepKind(
        "Enter your organization",
        "Its time zone decides which day an order counts for.",
        Organization.objects.exists,
        "/organization",
        "Enter the organization",
    ),
    _StepKind(
        "Connect a source",
        "A shop, an ERP, a warehouse or a carrier sends its messages.",
        Source.objects.filter(is_demo=False).exists,
        "/sources/new",
        "Connect a source",
    ),
    _StepKind(
        "Read the first message",
        "A message of a source was received and understood.",
        _is_own_message_read,
        "/messages",
        "View messages",
    ),
    _StepKind(
        "See the first order on a timeline",
        "A message names an order.",
        is_own_order_known,
        "/orders",
        "View orders",
    ),
    _StepKind(
        "Watch a promise",
        "An SLA rule about orders opens an alert when a promise is broken.",
        is_own_promise_watched,
        PROMISE_URL,
        "Add an SLA rule",
    ),
    _StepKind(
        "Add people to a team",
        "Alerts of a rule go to the team that owns it.",
        lambda: Team.objects.filter(members__isnull=False).exists(),
        "/teams",
        "Edit teams",
    ),
    _StepKind(
        "Invite a colleague",
        "Each person sees what their role needs.",
        lambda: User.objects.filter(is_active=True).count() > 1,
        "/people",
        "Invite a colleague",
    ),
    _StepKind(
        "Test a channel",
        "A server accepted a test message or an alert of a subscription.",
        lambda: Subscription.objects.filter(accepted_at__isnull=False).exists(),
        "/subscriptions",
        "Add a subscription",
    ),
)
