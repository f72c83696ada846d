"""docs/gateway.md and the code say the same."""

from pathlib import Path

from flyball.functions.errors import VariantError
from flyball.gateway.errors import GatewayError
from flyball.gateway.routes import WAYS
from flyball.llm.errors import UpstreamError
from flyball.testing.script import FAULTS

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


def codes_of(base):
    """The codes of a family's members; a root that is never raised has none of its own."""
    return {code for cls in base.__subclasses__() for code in {vars(cls).get("code")} | codes_of(cls) if code}


def test_every_route_is_documented():
    assert [path for path, route in WAYS.items() if f"`{route.method} {path}`" not in PAGE] == []


def test_every_code_is_documented():
    codes = codes_of(GatewayError) | codes_of(UpstreamError) | codes_of(VariantError)

    assert sorted(code for code in codes if f"`{code}`" not in PAGE) == []


def test_every_fault_of_the_scripted_upstream_is_documented():
    assert [fault for fault in FAULTS if fault and f"`{fault}`" not in PAGE] == []
