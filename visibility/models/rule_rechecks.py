"""The check of the existing orders after a rule was added or changed."""

from django.db import models

from visibility.models.rules_clocks_and_calendars import SlaRule


class RuleRecheck(models.Model):
    """How far the orders are checked against the newest definition of a rule.

    Open orders come first, then closed ones, each in the order of their ids. The next batch goes
    into the refold queue when the batch before has left it.
    """

    rule = models.OneToOneField(SlaRule, on_delete=models.CASCADE, primary_key=True)
    # `rule_definition_fingerprint()`, and the version of the rule with which it began.
    fingerprint = models.CharField(max_length=16)
    rule_version = models.IntegerField()
    started_at = models.DateTimeField()
    open_orders_checked_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # The latest batch: ids of orders after `batch_after`, up to `batch_end`, and how many.
    batch_after = models.BigIntegerField(default=0)
    batch_end = models.BigIntegerField(default=0)
    batch_size = models.IntegerField(default=0)
    # Orders of earlier batches, and how many there were at the start.
    open_done = models.IntegerField(default=0)
    open_total = models.IntegerField(default=0)
    closed_done = models.IntegerField(default=0)
    closed_total = models.IntegerField(default=0)
