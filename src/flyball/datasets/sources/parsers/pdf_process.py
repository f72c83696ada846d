"""The child of `pdf`: paths come in as JSON lines, texts go out as JSON lines. Limits its own memory first."""

import re
import resource
import sys

import msgspec
import pypdfium2

from .pdf import PdfAnswer

_MOST_PAGES = 5000
_SPACE = re.compile(r"[ \t]+")


def main() -> None:
    """Answer until the input ends."""
    most_bytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    for line in sys.stdin.buffer:
        answer = _read(msgspec.json.decode(line, type=str))
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _read(path: str) -> PdfAnswer:
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        return PdfAnswer(reason="broken-pdf", detail=f"{error}")
    try:
        if len(pdf) > _MOST_PAGES:
            return PdfAnswer(reason="too-large", detail=f"{len(pdf):,} pages, more than {_MOST_PAGES:,}")
        pages = [_page(pdf, number) for number in range(len(pdf))]
        title = pdf.get_metadata_value("Title").strip()
    except pypdfium2.PdfiumError as error:
        return PdfAnswer(reason="broken-pdf", detail=f"{error}")
    except MemoryError:
        return PdfAnswer(reason="too-large", detail="reading it needs more memory than the limit")
    finally:
        pdf.close()
    text = "\n\n".join(page for page in pages if page)
    if not text:
        return PdfAnswer(reason="no-text", detail="no page has text: probably scanned images")
    return PdfAnswer(text=text, title=title)


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


if __name__ == "__main__":
    main()
