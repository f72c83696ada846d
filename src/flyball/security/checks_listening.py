"""Who can reach this flyball, under which names, and how the way is encrypted."""

from flyball.infra.egress.networks import parse_networks
from flyball.infra.processes.ports import is_loopback

from .records import Check, Facts, Finding, State

TOPIC = "Listening"


def bound_to(facts: Facts) -> Finding:
    """Loopback, or how the way is encrypted."""
    settings = facts.settings
    if settings.tls_certificate:
        return _finding("address and TLS", "good", f"{settings.host} speaks HTTPS with {settings.tls_certificate}")
    if is_loopback(settings.host):
        return _finding("address and TLS", "good", f"{settings.host} is reached from this machine alone")
    if settings.tls == "proxy":
        return _finding("address and TLS", "good", f"{settings.host}, behind a proxy that encrypts")
    return _finding(
        "address and TLS",
        "bad",
        f"{settings.host} is reached from other machines in plain HTTP: passwords and keys can be read on the way",
        "give --tls-certificate FILE --tls-key FILE, or put a proxy in front and say --tls proxy",
    )


def host_names(facts: Facts) -> Finding:
    """The names that browsers may use."""
    further = [name for name in facts.settings.allowed_hosts.split(",") if name.strip()]
    told = (
        f"answers for {', '.join(map(str.strip, further))} and loopback"
        if further
        else "answers for its own address alone"
    )
    return _finding("host names", "good", told)


def proxies(facts: Facts) -> Finding:
    """Whose word on where a call comes from is believed."""
    trusted = facts.settings.trusted_proxies
    if not trusted:
        state: State = "note" if facts.settings.tls == "proxy" else "good"
        step = (
            "list the proxy in FLYBALL_TRUSTED_PROXIES, so that keys can be bound to addresses"
            if state == "note"
            else ""
        )
        return _finding("proxies", state, "nobody's word on where a call comes from is believed", step)
    wide = any(network.prefixlen == 0 for network in parse_networks(trusted))
    return _finding(
        "proxies",
        "bad" if wide else "good",
        f"the word of {trusted} on where a call comes from is believed",
        "name the proxies alone: anybody can claim any address now" if wide else "",
    )


def outgoing(facts: Facts) -> Finding:
    """Which networks webhooks and sign-in providers may be in."""
    listed = parse_networks(facts.settings.allowed_networks)
    if not listed:
        return _finding("outgoing calls", "good", "webhooks and sign-in providers are called at public addresses alone")
    wide = any(network.prefixlen == 0 for network in listed)
    return _finding(
        "outgoing calls",
        "bad" if wide else "note",
        f"webhooks and sign-in providers may be in {', '.join(map(str, listed))} too",
        "list the networks that are needed alone" if wide else "",
    )


CHECKS: tuple[Check, ...] = (bound_to, host_names, proxies, outgoing)


def _finding(name: str, state: State, found: str, next_step: str = "") -> Finding:
    return Finding(topic=TOPIC, name=name, state=state, found=found, next_step=next_step)
