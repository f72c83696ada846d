"""How people prove who they are, and which keys programs have."""

from .records import Check, Facts, Finding, State

UNUSED_DAYS = 90
_LONG_HOURS = 24 * 14


def passwords(facts: Facts) -> Finding:
    """Whether anybody can sign in again once the first link is used."""
    people = facts.people
    if not people.with_password and not people.providers:
        return _person(
            "passwords",
            "warn",
            "nobody has a password, and there is no sign-in provider",
            "sign in and set a password under Account",
        )
    return _person("passwords", "good", f"{people.with_password} of {people.members} members have a password")


def second_factors(facts: Facts) -> Finding:
    """Owners may do everything, so their password alone should not."""
    people = facts.people
    if not people.with_password:
        return _person("second factor", "note", "there is no password that a second factor could stand beside")
    told = f"{people.with_factor} of {people.with_password} members with a password have a second factor"
    if people.owners_without_factor:
        return _person(
            "second factor",
            "warn",
            f"{told}; {_count(people.owners_without_factor, 'owner has', 'owners have')} none",
            "have every owner set one up under Account",
        )
    return _person("second factor", "good" if people.with_factor >= people.with_password else "note", told)


def single_sign_on(facts: Facts) -> Finding:
    """Sign-in providers, and whether they are the only way in."""
    people = facts.people
    if not people.providers:
        return _person(
            "sign-in providers",
            "note",
            "people sign in by password",
            "`flyball providers --help` says how to let them sign in with OpenID Connect",
        )
    told = f"{_count(people.providers, 'sign-in provider', 'sign-in providers')}, {people.enforced} enforced"
    return _person("sign-in providers", "good", told)


def links(facts: Facts) -> Finding:
    """One-time links that nobody has used yet."""
    if not facts.people.open_links:
        return _person("one-time links", "good", "no link waits to be used")
    return _person(
        "one-time links",
        "note",
        f"{_count(facts.people.open_links, 'link waits', 'links wait')} to be used; each works once, within the hour",
    )


def sessions(facts: Facts) -> Finding:
    """How long a sign-in lasts."""
    hours = facts.settings.session_hours
    told = f"{_count(facts.people.sessions, 'session', 'sessions')}; a sign-in lasts {hours} hours"
    if hours > _LONG_HOURS:
        return _person("sessions", "warn", told, "lower FLYBALL_SESSION_HOURS")
    return _person("sessions", "good", told)


def key_expiry(facts: Facts) -> Finding:
    """Keys that work for ever."""
    keys = facts.keys
    if not keys.without_expiry:
        return _key("expiry", "good", "every key has an end" if keys.usable else "there is no key")
    return _key(
        "expiry",
        "warn",
        f"of {_count(keys.usable, 'key', 'keys')} {keys.without_expiry} never end",
        "`flyball keys rotate NAME --expires 90d` gives one an end",
    )


def key_use(facts: Facts) -> Finding:
    """Keys that nobody would miss."""
    if not facts.keys.long_unused:
        return _key("use", "good", f"no key has been unused for {UNUSED_DAYS} days")
    return _key(
        "use",
        "warn",
        f"{_count(facts.keys.long_unused, 'key has', 'keys have')} been unused for {UNUSED_DAYS} days",
        "`flyball keys list` shows the last use, `flyball keys revoke NAME` ends one",
    )


def key_power(facts: Facts) -> Finding:
    """Keys that may do everything."""
    if not facts.keys.all_powerful:
        return _key("rights", "good", "no key may do everything")
    return _key(
        "rights",
        "warn",
        f"{_count(facts.keys.all_powerful, 'key', 'keys')} may do everything",
        "make keys with the role or the scopes that a program needs, and revoke these",
    )


def key_origin(facts: Facts) -> Finding:
    """Keys that work from anywhere."""
    keys = facts.keys
    told = (
        f"of {_count(keys.usable, 'key', 'keys')} {keys.from_anywhere} may be used from any address"
        if keys.usable
        else "there is no key"
    )
    return _key("addresses", "note" if keys.from_anywhere else "good", told)


CHECKS: tuple[Check, ...] = (
    passwords,
    second_factors,
    single_sign_on,
    links,
    sessions,
    key_expiry,
    key_use,
    key_power,
    key_origin,
)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _person(name: str, state: State, found: str, next_step: str = "") -> Finding:
    return Finding(topic="People", name=name, state=state, found=found, next_step=next_step)


def _key(name: str, state: State, found: str, next_step: str = "") -> Finding:
    return Finding(topic="Keys", name=name, state=state, found=found, next_step=next_step)
