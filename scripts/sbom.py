"""Write what an installed `flyball[server]` consists of, as CycloneDX 1.6 JSON. The same installation gives the same bytes.

Usage: scripts/sbom.py [FILE]    Standard output unless a file is named. SOURCE_DATE_EPOCH sets the time in it, which is left out otherwise.
"""

import datetime as dt
import json
import os
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

EXTRA = "server"
_LOCKED = Path(__file__).parents[1] / "requirements" / f"{EXTRA}.txt"
_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
_OWN = (*_PROJECT["dependencies"], *_PROJECT["optional-dependencies"][EXTRA])
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")


def named(name: str) -> str:
    """A package's name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(name: str, found: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What a distribution needs here: names, and the extras that are asked of them. Of flyball as pyproject.toml says it now."""
    for line in _OWN if name == "flyball" else found.requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield named(requirement.name), frozenset(requirement.extras)


def installed() -> dict[str, tuple[Distribution, list[str]]]:
    """Every distribution that flyball[server] brings, and what each needs, by name."""
    found: dict[str, tuple[Distribution, list[str]]] = {}
    asked: dict[str, frozenset[str]] = {}
    waiting = [("flyball", frozenset({EXTRA}))]
    while waiting:
        name, extras = waiting.pop()
        if name in asked and extras <= asked[name]:
            continue
        asked[name] = asked.get(name, frozenset()) | extras
        try:
            package = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed here; run scripts/install {EXTRA}")
        following = [*needs(name, package, asked[name])]
        found[name] = (package, sorted({each for each, _ in following} - {name}))
        waiting += following
    return found


def licences(package: Distribution) -> list[dict[str, Any]]:
    """What the package says of its licence: an SPDX expression, or its own words."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return [{"expression": expression}]
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    text = (metadata.get("License") or "").strip().partition("\n")[0]
    if not classified and not text:
        text = next((_first_line(package, file) for file in metadata.get_all("License-File") or []), "")
    return [{"license": {"name": name}} for name in classified or ([text] if text else [])]


def _first_line(package: Distribution, file: str) -> str:
    """How the licence that lies beside a package begins: mostly by its name."""
    return (package.read_text(f"licenses/{file}") or "").strip().partition("\n")[0].strip()


def hashes() -> dict[str, list[str]]:
    """The digests of the files that the lock allows for each package, by `name==version`."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in _LOCKED.read_text().splitlines():
        if pinned := _PINNED.match(line):
            current = f"{named(pinned[1])}=={pinned[2]}"
            found[current] = []
        elif "--hash=sha256:" in line:
            found[current].append(line.partition("--hash=sha256:")[2].split()[0])
    return found


def component(name: str, package: Distribution, locked: dict[str, list[str]]) -> dict[str, Any]:
    """One package."""
    purl = f"pkg:pypi/{name}@{package.version}"
    described: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package.version,
        "purl": purl,
    }
    if summary := package.metadata.get("Summary"):
        described["description"] = summary
    if said := licences(package):
        described["licenses"] = said
    digests = locked.get(f"{name}=={package.version}", [])
    described["properties"] = [{"name": "flyball:allowed-sha256", "value": digest} for digest in sorted(digests)]
    return described


def bill() -> dict[str, Any]:
    """The whole document."""
    found = installed()
    locked = hashes()
    references = {name: f"pkg:pypi/{name}@{package.version}" for name, (package, _) in found.items()}
    own, _ = found["flyball"]
    root = component("flyball", own, locked) | {"type": "application"}
    metadata: dict[str, Any] = {
        "component": root,
        "tools": {"components": [{"type": "application", "name": "scripts/sbom.py"}]},
    }
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        metadata["timestamp"] = dt.datetime.fromtimestamp(int(epoch), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "metadata": metadata,
        "components": [
            component(name, package, locked) for name, (package, _) in sorted(found.items()) if name != "flyball"
        ],
        "dependencies": [
            {"ref": references[name], "dependsOn": [references[each] for each in needed]}
            for name, (_, needed) in sorted(found.items())
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1, **body}


def main() -> None:
    """Write it."""
    text = json.dumps(bill(), indent=1, ensure_ascii=False) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
