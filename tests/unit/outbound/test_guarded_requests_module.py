"""The stand-in for `requests`: only in a block, only with options that it knows."""

import types

import pytest
import requests
from pytest_django.fixtures import Settings

from tests.builders.polled_systems import running_system, send_json
from visibility.outbound.guarded_requests_module import (
    GUARDED_REQUESTS,
    guarded_exchange,
    send_with_guard,
)


def test_requests_of_a_block_are_sent_and_their_responses_recorded(settings: Settings) -> None:
    with (
        running_system(lambda handler, _: send_json(handler, {"a": 1})) as system,
        guarded_exchange(seconds=5, requests_at_most=2) as exchange,
    ):
        settings.OUTGOING_ALLOWED = [system.address]
        answer = GUARDED_REQUESTS.get(f"{system.base_url}/a", params={"b": "c"}, timeout=4)
        assert (answer.status_code, answer.json()) == (200, {"a": 1})
        assert exchange.last_response is not None
        assert exchange.last_response.status == 200
        GUARDED_REQUESTS.get(system.base_url, verify=False)
        with pytest.raises(requests.RequestException, match="within 2 requests"):
            GUARDED_REQUESTS.get(system.base_url)
    assert "within 2 requests" in exchange.error


def test_nothing_is_sent_outside_of_a_block() -> None:
    with pytest.raises(RuntimeError, match="outside"):
        GUARDED_REQUESTS.get("https://example.com")


@pytest.mark.parametrize("option", ["proxies", "cert", "hooks"])
def test_option_that_the_guard_does_not_know_is_refused(option: str) -> None:
    with (
        guarded_exchange(seconds=5, requests_at_most=1),
        pytest.raises(TypeError, match=option),
    ):
        GUARDED_REQUESTS.delete("https://example.com", **{option: "x"})


@pytest.mark.parametrize("name", ["Session", "adapters", "head", "sessions"])
def test_other_names_of_requests_are_missing(name: str) -> None:
    assert hasattr(requests, name)
    assert not hasattr(GUARDED_REQUESTS, name)


def test_module_with_another_client_is_refused() -> None:
    module = types.ModuleType("library")
    with pytest.raises(RuntimeError, match="library"):
        send_with_guard(module)
    vars(module)["requests"] = requests
    send_with_guard(module)
    send_with_guard(module)
    assert vars(module)["requests"] is GUARDED_REQUESTS
