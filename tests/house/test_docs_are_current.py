"""The generated pages of docs/ say what the code says; every link between pages leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)")


def test_every_generated_page_is_current():
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts/docs.py", "--check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, f"{checked.stdout}{checked.stderr}: run `make docs`"


def test_every_link_between_pages_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "STYLE.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "decisions").glob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text())
        if not target.startswith(("http://", "https://")) and not (page.parent / target).exists()
    ]

    assert broken == []


def test_every_decision_has_a_number_of_its_own():
    numbers = [path.name[:4] for path in sorted((ROOT / "decisions").glob("*.md"))]

    assert numbers == sorted(set(numbers))


def test_the_readme_counts_the_questions_that_are_shipped():
    shipped = len((ROOT / "examples/ask-stdlib/questions.jsonl").read_text().splitlines())

    assert f"judges them on {shipped} questions" in (ROOT / "README.md").read_text()
    assert f"{shipped} questions" in (ROOT / "examples/ask-stdlib/README.md").read_text()
