"""What an install brings is named by version and hash, fits what pyproject.toml asks for, and is listed in a bill of materials."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from cyclonedx.schema import _res
from jsonschema import Draft7Validator
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.version import Version
from referencing import Registry, Resource

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("server", "demo", "dev")
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.11", "3.12", "3.13")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$")


def environment(python):
    return default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "extra": "",
    }


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(extra, python="3.12"):
    """Versions by name, as the lock has them for that interpreter on Linux."""
    found = {}
    for line in (ROOT / "requirements" / f"{extra}.txt").read_text().splitlines():
        if (pinned := PINNED.match(line)) and (
            not pinned["marker"] or Marker(pinned["marker"]).evaluate(environment(python))
        ):
            found[canonical(pinned["name"])] = Version(pinned["version"])
    return found


def asked(extra):
    """What pyproject.toml asks for in an extra, its own extras followed."""
    for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]):
        requirement = Requirement(line)
        if requirement.name == "flyball":
            for inner in requirement.extras:
                yield from asked(inner)
        else:
            yield requirement


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_package_has_a_version_and_hashes(extra):
    lines = (ROOT / "requirements" / f"{extra}.txt").read_text().splitlines()
    names = [number for number, line in enumerate(lines) if not line.startswith(" ")]

    assert [lines[number] for number in names if not PINNED.match(lines[number])] == []
    assert all(
        re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)
        for number, line in enumerate(lines)
        if number not in names
    )
    assert all(lines[number + 1].startswith("    --hash=") for number in names)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("extra", EXTRAS)
def test_the_lock_has_what_pyproject_asks_for(extra, python):
    found = locked(extra, python)
    missing = [
        str(each)
        for each in asked(extra)
        if (each.marker is None or each.marker.evaluate(environment(python)))
        and (
            canonical(each.name) not in found
            or not each.specifier.contains(found[canonical(each.name)], prereleases=True)
        )
    ]

    assert missing == [], "run scripts/lock"


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_lock_has_what_its_packages_ask_for(extra):
    found = locked(extra, HERE)
    missing = []
    for name in found:
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        if Version(package.version) != found[name]:
            continue  # installed in another version: what that one asks for says nothing of the lock
        for line in package.requires or []:
            needed = Requirement(line)
            if (needed.marker is None or needed.marker.evaluate(environment(HERE))) and canonical(
                needed.name
            ) not in found:
                missing.append(f"{name} needs {line}")

    assert missing == []


def test_larger_extras_lock_the_same_versions():
    server, demo, dev = map(locked, EXTRAS)

    assert {name: dev[name] for name in demo} == demo
    assert {name: demo[name] for name in server} == server


def test_what_is_installed_by_the_scripts_is_what_is_locked():
    script = (ROOT / "scripts" / "install").read_text()

    assert script.count('--require-hashes --requirement "$locked"') == 2
    assert script.count("--no-deps --no-build-isolation --editable .") == 2
    assert {"hatchling", "editables"} <= set(locked("server"))


@pytest.fixture(scope="module")
def bill(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sbom")
    made = []
    for number in (1, 2):
        file = folder / f"{number}.json"
        subprocess.run([sys.executable, ROOT / "scripts" / "sbom.py", file], check=True)
        made.append(file.read_bytes())
    assert made[0] == made[1], "the same installation gives the same bytes"
    return json.loads(made[0])


def test_the_bill_of_materials_is_cyclonedx_1_6(bill):
    folder = Path(_res.__file__).parent
    schemas = {
        name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())
        for name in ("bom-1.6", "spdx", "jsf-0.82")
    }
    registry = Registry().with_resources([(found["$id"], Resource.from_contents(found)) for found in schemas.values()])
    validator = Draft7Validator(schemas["bom-1.6"], registry=registry)

    assert [error.message for error in validator.iter_errors(bill)] == []
    assert bill["specVersion"] == "1.6"
    assert [*validator.iter_errors(bill | {"components": [{"type": "nothing"}]})]


def test_the_bill_lists_every_package_of_the_server_once(bill):
    names = [each["name"] for each in bill["components"]]
    references = {each["bom-ref"] for each in (*bill["components"], bill["metadata"]["component"])}

    assert len(names) == len(set(names)) >= len([*asked("server")])
    assert {canonical(each.name) for each in asked("server")} <= set(names)
    assert {each["ref"] for each in bill["dependencies"]} == references
    assert {needed for each in bill["dependencies"] for needed in each["dependsOn"]} <= references
    assert set(names) <= set(locked("server", HERE))


def test_every_package_says_its_licence(bill):
    assert [each["name"] for each in bill["components"] if not each.get("licenses")] == []


def test_no_torch_and_no_package_of_a_vendor_is_in_the_server():
    assert not {"torch", "openai", "anthropic", "litellm", "pickle5", "joblib", "scikit-learn"} & set(locked("server"))


def test_the_script_is_read_without_running():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "scripts" / "sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.named("Foo_Bar.baz") == "foo-bar-baz"
