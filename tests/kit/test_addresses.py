"""Addresses and networks: the same host in every coat, no network by mistake."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.kit.addresses import canonical_network, held, networks_in, networks_of, within, written
from flyball.kit.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
    ],
)
def test_a_network_has_one_spelling(text, network):
    assert canonical_network(text) == network


@pytest.mark.parametrize(
    "text",
    ["", "x", "10.0.0.5/8", "10.0.0.0/33", "010.0.0.1", "1.2.3", "0x7f.1", "3232235777", "10.0.0.0/8,", "*", "a.b"],
)
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 -- the words are ipaddress's own
        canonical_network(text)


def test_a_network_with_bits_too_many_is_told_the_one_that_was_meant():
    with pytest.raises(ValueError, match=r"the network is 10\.0\.0\.0/8"):
        canonical_network("10.0.0.5/8")


@pytest.mark.parametrize(
    ("network", "address", "holds"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:a01:203", True),
        ("::/0", "10.0.0.1", False),
        ("0.0.0.0/0", "::1", False),
        ("2001:db8::/32", "2001:DB8:0::7", True),
        ("fe80::/64", "fe80::1%eth0", True),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "localhost", False),
    ],
)
def test_a_network_holds_its_addresses_in_every_coat(network, address, holds):
    assert held(networks_of([network]), address) is holds


@given(st.ip_addresses(), st.ip_addresses(), st.data())
def test_networks_hold_what_the_standard_library_says(one, other, data):

    length = data.draw(st.integers(0, one.max_prefixlen))
    network = ipaddress.ip_network((int(one), length), strict=False) if one.version == 4 else None
    if network is None:
        network = ipaddress.IPv6Network((int(one), length), strict=False)
        if network.overlaps(ipaddress.ip_network("::ffff:0:0/96")):
            return
    mapped = getattr(other, "ipv4_mapped", None)
    expected = (mapped or other) in network if (mapped or other).version == network.version else False

    assert held(networks_of([str(network)]), str(other)) is expected


def test_a_network_lies_within_a_wider_one():
    assert within("10.1.0.0/16", ["192.0.2.0/24", "10.0.0.0/8"])
    assert within("10.0.0.0/8", ["10.0.0.0/8"])
    assert not within("10.0.0.0/8", ["10.1.0.0/16"])
    assert not within("::/0", ["0.0.0.0/0"])


def test_an_address_is_shown_as_it_is_usually_written():
    assert written("::ffff:203.0.113.7") == "203.0.113.7"
    assert written("2001:DB8:0:0::1") == "2001:db8::1"
    assert written("<script>") == ""


def test_a_setting_that_lists_no_network_is_refused_by_its_name():
    assert len(networks_in("10.0.0.0/8, ::1 ,", knob="trusted_proxies")) == 2

    with pytest.raises(InvalidInputError, match="FLYBALL_TRUSTED_PROXIES has 'proxy'"):
        networks_in("proxy", knob="trusted_proxies")
