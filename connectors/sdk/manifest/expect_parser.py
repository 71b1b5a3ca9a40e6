"""Parse `expect`: when files are expected, and what they contain."""

from collections.abc import Mapping

from connectors.sdk.batch_settings import BATCH_SETTINGS, PREFIX, find_schedule_error
from connectors.sdk.manifest.operator_parser import OperatorParser
from connectors.sdk.settings import parse_and_check_settings


def parse_expect(parser: OperatorParser, data: Mapping[str, str]) -> dict[str, str]:
    """Return defaults of the settings of batches by name, and report invalid ones."""
    defaults = {PREFIX + name: text for name, text in data.items()}
    for error in parse_and_check_settings(BATCH_SETTINGS, defaults).errors:
        parser.report(("expect", error.name.removeprefix(PREFIX)), error.sentence.rstrip("."))
    if conflict := find_schedule_error(defaults):
        parser.report(("expect", conflict[0].removeprefix(PREFIX)), conflict[1].rstrip("."))
    if defaults and not {"batch_at", "batch_every"} & set(defaults):
        parser.report(("expect",), "give `at` or `every`: when files are expected")
    return defaults
