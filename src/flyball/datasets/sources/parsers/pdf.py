"""Text of PDF files, page by page. Called in a process of its own (`apart`)."""

import re
from pathlib import Path

import pypdfium2

from .page import Page
from .unreadable import UnreadableError

_MOST_PAGES = 5000
_SPACE = re.compile(r"[ \t]+")


def read(path: Path) -> Page:
    """Text and title; raises UnreadableError (`broken-pdf`, `too-large`, `no-text`)."""
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise UnreadableError("broken-pdf", f"{error}") from None
    try:
        if len(pdf) > _MOST_PAGES:
            raise UnreadableError("too-large", f"{len(pdf):,} pages, more than {_MOST_PAGES:,}")
        pages = [_page(pdf, number) for number in range(len(pdf))]
        title = pdf.get_metadata_value("Title").strip()
    except pypdfium2.PdfiumError as error:
        raise UnreadableError("broken-pdf", f"{error}") from None
    finally:
        pdf.close()
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise UnreadableError("no-text", "no page has text: probably scanned images")
    return Page(text, title)


def _page(pdf: pypdfium2.PdfDocument, number: int) -> str:
    page = pdf[number]
    textpage = page.get_textpage()
    try:
        text = textpage.get_text_bounded().replace("\r\n", "\n").replace("\0", "")
    finally:
        textpage.close()
        page.close()
    lines = (_SPACE.sub(" ", line).rstrip() for line in text.encode("utf-8", "ignore").decode().split("\n"))
    return "\n".join(lines).strip()
