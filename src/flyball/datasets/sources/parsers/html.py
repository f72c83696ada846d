"""Text of HTML files: what a reader sees, blocks apart by blank lines, headings marked with `#`. Knows no network."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from .page import Page
from .plain import read as read_plain
from .unreadable import UnreadableError

_UNSEEN = ("script", "style", "template", "noscript", "head", "nav", "svg", "iframe", "object")
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "td",
        "th",
        "tr",
        "ul",
    ]
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
# Those of the web. Python knows more: some are no text, and one takes the square of the length.
_CHARSETS = re.compile(
    r"(us-)?ascii|latin-?1|iso-?8859-\d{1,2}|(windows|cp)-?125\d|windows-874|koi8-[ru]|macintosh|gbk|gb2312|gb18030"
    r"|big5(-hkscs)?|euc-jp|euc-kr|iso-2022-jp|shift[-_]jis|sjis|utf-16(le|be)?"
)


def read(data: bytes) -> Page:
    """The page's text; raises UnreadableError (`binary`, `not-utf-8`, `no-text`)."""
    tree = LexborHTMLParser(_as_text(data))
    title_node = tree.css_first("title")
    title = _SPACE.sub(" ", title_node.text()).strip() if title_node else ""
    for node in tree.css(",".join(_UNSEEN)):
        node.decompose()
    text = _text_of(tree.body) if tree.body else ""
    if not text:
        raise UnreadableError("no-text", "the page shows no text without running scripts")
    return Page(text, title)


def _as_text(data: bytes) -> str:
    match = re.search(rb"""<meta[^>]+charset=["']?([\w-]+)""", data[:2048], re.IGNORECASE)
    declared = match.group(1).decode("ascii").lower() if match else "utf-8"
    if declared in ("utf-8", "utf8"):
        return read_plain(data)
    if not _CHARSETS.fullmatch(declared):
        raise UnreadableError("not-utf-8", f"the page declares {declared!r:.40}, which is no encoding of pages")
    try:
        return data.decode(declared)
    except (LookupError, UnicodeDecodeError):
        raise UnreadableError("not-utf-8", f"the page declares {declared!r:.40} and is not encoded so") from None


def _text_of(body: LexborNode) -> str:
    pieces: list[str] = []
    current: list[str] = []
    block: LexborNode | None = None
    for node in body.traverse(include_text=True):
        if node.tag == "br":
            current.append("\n")
        if node.tag != "-text":
            continue
        nearest = _nearest_block(node)
        if block is None or nearest.mem_id != block.mem_id:
            _close(pieces, current, block)
            current, block = [], nearest
        raw = node.text_content or ""
        current.append(raw if nearest.tag == "pre" else _SPACE.sub(" ", raw))
    _close(pieces, current, block)
    return "\n\n".join(pieces)


def _nearest_block(node: LexborNode) -> LexborNode:
    while node.parent is not None and node.tag not in _BLOCKS:
        node = node.parent
    return node


def _close(pieces: list[str], current: list[str], block: LexborNode | None) -> None:
    text = "".join(current).strip("\n" if block is not None and block.tag == "pre" else " \n")
    if not text.strip() or block is None:
        return
    heading = re.fullmatch(r"h([1-6])", block.tag or "")
    pieces.append(f"{'#' * int(heading[1])} {text}" if heading else text)
