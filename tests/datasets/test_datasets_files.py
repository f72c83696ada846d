"""Files that are broken, huge or hostile: each is refused with its reason, none hurts the import."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.datasets import collecting, collector
from flyball.datasets.errors import CollectorError, SourceNotFoundError
from flyball.datasets.records import Declaration
from flyball.datasets.sources import folder
from flyball.datasets.sources.found import Fact
from flyball.datasets.sources.parsers import apart_process, html, plain
from flyball.datasets.sources.parsers.apart import ReaderApart
from flyball.datasets.sources.parsers.unreadable import UnreadableError
from flyball.datasets.staging import BATCH_ROWS, read_batch, read_manifest


def pdf_of(*pages: str) -> bytes:
    """A PDF by hand: one line of text per page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() if text else b""
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {4 + 2 * number} 0 R /Resources {font} >>"
        )
        objects += [page.encode(), b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)


def test_the_text_of_a_pdf_is_its_pages(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf_of("The first page.", "The second page."))
    with ReaderApart() as reader:
        answer = reader.read(tmp_path / "a.pdf")

    assert answer.text == "The first page.\n\nThe second page."


def test_a_pdf_without_text_and_a_broken_one_say_so_and_the_next_is_read(tmp_path):
    (tmp_path / "scan.pdf").write_bytes(pdf_of(""))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "good.pdf").write_bytes(pdf_of("Good."))
    with ReaderApart() as reader:
        with pytest.raises(UnreadableError, match="no-text"):
            reader.read(tmp_path / "scan.pdf")
        with pytest.raises(UnreadableError, match="broken-pdf"):
            reader.read(tmp_path / "broken.pdf")

        assert reader.read(tmp_path / "good.pdf").text == "Good."


def test_a_pdf_is_read_although_the_process_that_reads_was_killed_before(tmp_path):
    (tmp_path / "good.pdf").write_bytes(pdf_of("Good."))
    with ReaderApart() as reader:
        reader.read(tmp_path / "good.pdf")
        reader._child.kill()

        assert reader.read(tmp_path / "good.pdf").text == "Good."


def test_a_pdf_that_takes_too_long_is_given_up_and_the_next_is_read(tmp_path):
    (tmp_path / "good.pdf").write_bytes(pdf_of("Good."))
    with ReaderApart(seconds=30) as reader:
        reader.read(tmp_path / "good.pdf")
        os.kill(reader._child.pid, signal.SIGSTOP)
        reader._seconds = 0.2
        with pytest.raises(UnreadableError, match="too-slow"):
            reader.read(tmp_path / "good.pdf")
        reader._seconds = 30

        assert reader.read(tmp_path / "good.pdf").text == "Good."


def test_a_pdf_that_kills_its_reader_each_time_is_refused_and_the_next_is_read(tmp_path, monkeypatch):
    (tmp_path / "good.pdf").write_bytes(pdf_of("Good."))
    with ReaderApart() as reader:
        running = reader._running

        def killed():
            child = running()
            child.kill()
            return child

        monkeypatch.setattr(reader, "_running", killed)
        with pytest.raises(UnreadableError, match="crashed"):
            reader.read(tmp_path / "good.pdf")
        monkeypatch.undo()

        assert reader.read(tmp_path / "good.pdf").text == "Good."


def test_the_reader_of_pdfs_limits_its_own_memory():
    program = (
        "import sys, io; sys.argv = ['x', str(400 * 1024 * 1024)]; sys.stdin = io.TextIOWrapper(io.BytesIO(b''))\n"
        f"from {apart_process.__name__} import main; main()\n"
        "try: bytearray(600 * 1024 * 1024)\n"
        "except MemoryError: print('limited')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ended.stdout == "limited\n"


def test_html_becomes_blocks_without_what_nobody_sees():
    page = html.read(
        b"<title> A  title </title><body><nav>menu</nav><h2>Head</h2><p>One <b>bold</b>\n word.</p>after"
        b"<pre>a\n  b</pre><ul><li>x<li>y</ul><script>no()</script><style>p{}</style>"
    )

    assert page.title == "A title"
    assert page.text == "## Head\n\nOne bold word.\n\nafter\n\na\n  b\n\nx\n\ny"


def test_html_in_another_declared_encoding_is_read_and_a_wrong_declaration_refused():
    assert html.read('<meta charset="latin-1"><body>café'.encode("latin-1")).text == "café"
    with pytest.raises(UnreadableError, match="not-utf-8"):
        html.read(b'<meta charset="ascii"><body>caf\xe9')


def test_html_nested_ten_thousand_deep_does_not_break_the_parser():
    assert html.read(b"<div>" * 10_000 + b"deep").text == "deep"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<div>" * 200_000 + b"x", id="nested deeply"),
        pytest.param(b"<p " + b" ".join(b"a%d=1" % number for number in range(200_000)) + b">x", id="many attributes"),
    ],
)
def test_html_that_takes_the_square_of_its_length_is_given_up_and_the_next_is_read(tmp_path, page):
    (tmp_path / "bomb.html").write_bytes(page)
    (tmp_path / "good.html").write_bytes(b"<p>Good.")
    with ReaderApart(seconds=2) as reader:
        with pytest.raises(UnreadableError, match="too-slow"):
            reader.read(tmp_path / "bomb.html")

        assert reader.read(tmp_path / "good.html").text == "Good."


@pytest.mark.parametrize(
    "charset",
    ["punycode", "idna", "rot13", "zlib", "unicode_escape", "raw_unicode_escape", "utf-7", "hex", "mbcs", "x"],
)
def test_html_in_what_is_no_encoding_of_pages_is_refused_at_once(charset):
    with pytest.raises(UnreadableError, match="not-utf-8"):
        html.read(f"<meta charset={charset}>".encode() + b"a" * 1_000_000)


def test_a_file_that_breaks_its_parser_is_refused_and_the_rest_is_read(tmp_path, monkeypatch):
    (tmp_path / "bad.txt").write_text("bad")
    (tmp_path / "good.txt").write_text("good")

    def read(data):
        return 1 / 0 if data == b"bad" else data.decode()

    monkeypatch.setattr(plain, "read", read)
    bad, good = [item for item in folder.collect(str(tmp_path), "") if not isinstance(item, Fact)]

    assert (bad.location, bad.reason) == ("bad.txt", "broken")
    assert good.text == "good"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("\ufeffwide".encode("utf-16-le"), "wide"),
        (b"one\r\ntwo", "one\r\ntwo"),
    ],
)
def test_text_is_utf_8_or_utf_16_with_a_mark(data, text):
    assert plain.read(data) == text


async def _silent(rows: int) -> None:
    del rows


async def test_many_rows_are_staged_in_batches_in_their_order(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"id": "r{n}"}}\n' for n in range(BATCH_ROWS * 2 + 1)))
    told = []

    async def progress(rows: int) -> None:
        told.append(rows)

    manifest = await collecting.collect(Declaration(source="jsonl", location=str(path)), tmp_path / "stage", progress)

    assert (manifest.batches, manifest.rows) == (3, BATCH_ROWS * 2 + 1)
    assert read_batch(tmp_path / "stage", 2)["row_id"].to_pylist() == [f"r{BATCH_ROWS * 2}"]


async def test_an_overlong_line_is_refused_without_being_held(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.write(b'{"id": "a", "text": "' + b"x" * 9_000_000 + b'"}\n{"id": "b"}\n')
    manifest = await collecting.collect(Declaration(source="jsonl", location=str(path)), tmp_path / "stage", _silent)

    assert manifest.rows == 1
    assert [(r.location, r.reason) for r in manifest.card.refusals] == [("line 1", "too-large")]


async def test_a_collector_that_dies_is_reported_with_its_last_words_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting.sys, "executable", "/bin/false")
    with pytest.raises(CollectorError, match="ended with status 1"):
        await collecting.collect(Declaration(source="stdlib"), tmp_path / "stage", _silent)

    assert read_manifest(tmp_path / "stage") is None


async def test_a_cancelled_import_ends_its_child(tmp_path):
    task = asyncio.create_task(collecting.collect(Declaration(source="stdlib"), tmp_path / "stage", _silent))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert read_manifest(tmp_path / "stage") is None


def test_the_collector_ends_when_its_parent_is_gone():
    program = (
        f"import threading, time\nfrom {collector.__name__} import _end_with_parent as f\n"
        "threading.Thread(target=f, daemon=True).start()\nprint('up', flush=True)\ntime.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"up\n"
    child.stdin.close()

    assert child.wait(10) == 1
    child.stdout.close()


@pytest.mark.parametrize("source", ["folder", "jsonl"])
async def test_a_source_of_the_wrong_sort_is_named(tmp_path, source):
    (tmp_path / "file.txt").write_text("x")
    wrong = {"folder": tmp_path / "file.txt", "jsonl": Path(tmp_path)}[source]
    with pytest.raises(SourceNotFoundError, match="not a"):
        await collecting.collect(Declaration(source=source, location=str(wrong)), tmp_path / "stage", _silent)
