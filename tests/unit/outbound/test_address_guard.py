"""Which IP addresses are public: forms that lead to a private one are not."""

import pytest

from visibility.outbound.address_guard import is_public_address


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b::a00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "2002:a00:1::",
        "2002:808:808::1",
        "2001:0:1::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::8.8.8.8",
        "::7f00:1",
        "224.0.0.1",
        "ff0e::1",
        "0.0.0.0",  # noqa: S104  # an address to refuse, not to listen on
        "::",
        "::1",
        "fec0::1",
        "fe80::1%eth0",
        "240.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
    ],
)
def test_address_of_no_public_host_is_refused(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111"])
def test_address_of_a_public_host_is_allowed(address: str) -> None:
    assert is_public_address(address)
