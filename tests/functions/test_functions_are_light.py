"""What the gateway may import of functions stays light."""

import subprocess
import sys

import pytest

HEAVY = ("pyarrow", "duckdb", "lancedb", "deltalake", "fastapi", "dbos", "numpy")


@pytest.mark.parametrize(
    "modules",
    [
        "flyball.functions.records, flyball.functions.store, flyball.functions.availability, flyball.functions.fields",
        "flyball.functions.service, flyball.models.service, flyball.prompts.service",
    ],
)
def test_no_heavy_library_comes_along(modules):
    code = f"import sys, {modules}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
