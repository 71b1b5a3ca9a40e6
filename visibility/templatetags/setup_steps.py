"""Template tags of empty pages: what is missing, and the next step for this person."""

from typing import Any

from django import template

from visibility.screens.setup import next_step as steps

register = template.Library()


@register.simple_tag
def missing_promise() -> steps.SetupStep | None:
    """What is missing before an alert about an order can open."""
    return steps.load_next_step()


@register.simple_tag
def missing_orders() -> steps.SetupStep | None:
    """What is missing before the first order is shown."""
    return steps.load_missing_orders()


@register.inclusion_tag("components/next_step.html")
def next_step(user: Any, step: steps.SetupStep | None) -> dict[str, Any]:
    """The sentence of a step, with its button or with who can take it."""
    may = step is not None and user.has_perm(f"visibility.{step.permission.value}")
    return {"step": step, "may": may}
