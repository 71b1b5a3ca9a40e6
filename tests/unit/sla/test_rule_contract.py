"""Every kind of rule keeps the contract of its base class."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from connectors.sdk.load_plugins_of_package import InvalidPlugin
from visibility.sla.calendar import Calendar
from visibility.sla.parameters import (
    InvalidParameters,
    parameter,
    parameter_fields,
    parameters_json_schema,
    parse_entered_parameters_within_bounds,
    serialize_parameters,
)
from visibility.sla.registry import require_complete_rule_kind, rule_kinds
from visibility.sla.rule import Clock, Consequence, OrderRule, Rule, RuleSubject
from visibility.timeline.model import Timeline

KINDS = list(rule_kinds().values())


def names_of(kind: Rule) -> str:
    return kind.code


@dataclass(frozen=True)
class WorkingParams:
    """One described parameter."""

    within: timedelta = parameter(timedelta(hours=1), label="Time limit", help="A time limit.")


class WorkingRule(OrderRule):
    """A rule that keeps the contract."""

    code: ClassVar[str] = "working"
    title: ClassVar[str] = "Working"
    subject: ClassVar[RuleSubject] = RuleSubject.ORDER
    params_type: ClassVar[type[Any]] = WorkingParams
    sentence_template: ClassVar[str] = "Alert after {within}."
    meaning: ClassVar[str] = "It is late."
    response: ClassVar[str] = "Hurry."
    team: ClassVar[str] = "Warehouse"
    consequences: ClassVar[tuple[Consequence, ...]] = (Consequence.MANUAL_WORK,)

    def clocks(self, timeline: Timeline, params: Any, calendar: Calendar) -> Iterable[Clock]:
        return ()

    def alert_title(self, params: Any, subject: str) -> str:
        return "Late"


@pytest.mark.parametrize("kind", KINDS, ids=names_of)
def test_defaults_are_valid_and_survive_being_stored(kind: Rule) -> None:
    params = parse_entered_parameters_within_bounds(kind.params_type, {}, owner=kind.code)
    stored = serialize_parameters(params)
    assert kind.parse_params(stored) == params == kind.params_type()
    assert set(stored) == set(parameters_json_schema(kind.params_type)["properties"])


@pytest.mark.parametrize("kind", KINDS, ids=names_of)
def test_invalid_values_are_refused_with_the_name_of_their_field(kind: Rule) -> None:
    for field in parameter_fields(kind.params_type):
        for raw in (None, object(), {"planet": "Mars"}):
            with pytest.raises(InvalidParameters) as refused:
                parse_entered_parameters_within_bounds(
                    kind.params_type, {field.name: raw}, owner=kind.code
                )
            assert refused.value.errors[field.name].startswith(field.name)


@pytest.mark.parametrize("kind", KINDS, ids=names_of)
def test_sentence_names_every_parameter_in_words(kind: Rule) -> None:
    params = kind.params_type()
    sentence = kind.sentence(params)
    assert sentence.endswith(".")
    assert "{" not in sentence
    for field in parameter_fields(kind.params_type):
        assert field.readable_value_with_unit(getattr(params, field.name)) in sentence
        assert field.text.label
        assert field.text.help.endswith(".")


@pytest.mark.parametrize("kind", KINDS, ids=names_of)
def test_meaning_response_team_and_consequence_are_declared(kind: Rule) -> None:
    require_complete_rule_kind(kind)
    assert kind.meaning.endswith(".")
    assert kind.response.endswith(".")
    assert all(isinstance(consequence, Consequence) for consequence in kind.consequences)
    assert kind.alert_title(kind.params_type(), "the subject")


@pytest.mark.parametrize("kind", KINDS, ids=names_of)
def test_title_has_no_time_limit_in_place_of_the_age(kind: Rule) -> None:
    params = kind.params_type()
    longer = {
        field.name: value + timedelta(hours=7)
        for field in parameter_fields(kind.params_type)
        if isinstance(value := getattr(params, field.name), timedelta)
    }
    assert kind.alert_title(replace(params, **longer), "X") == kind.alert_title(params, "X")


def test_sentences_of_the_order_rules() -> None:
    kind = rule_kinds()["stuck_in_released"]
    params = kind.parse_params({"within": 8})
    assert (
        kind.sentence(params)
        == "Alert when an order stays in released for more than 8 working hours."
    )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("subject", RuleSubject.KPI, "no evaluation exists"),
        ("subject", None, "no evaluation exists"),
        ("meaning", "", "declares no meaning"),
        ("consequences", (), "declares no consequences"),
        ("sentence_template", "Alert.", "does not name 'within'"),
        ("sentence_template", "Alert after {within} and {other}.", "parameters are invalid"),
        ("params_type", int, "parameters are invalid"),
    ],
)
def test_incomplete_kind_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object, reason: str
) -> None:
    require_complete_rule_kind(WorkingRule())
    monkeypatch.setattr(WorkingRule, name, value)
    with pytest.raises(InvalidPlugin, match=reason):
        require_complete_rule_kind(WorkingRule())
