"""Files made to hang, to fill the memory or to break a parser: each ends soon, small, and as a row, a fault or a refusal.

Each is read by a process with limits, so that a reader that runs away fails here and not on this machine.
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
import zlib

import pytest

from made_files import make_docx_of, make_parquet, make_raw_pdf

READ = """
import json, resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60,) * 2)
from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RowFault
began, rows, faults, refused = time.process_time(), 0, [], ""
try:
    for row in open_rows(Path(sys.argv[1]), layout_name="columns"):
        faults, rows = (faults + [row.reason] if len(faults) < 3 else faults, rows) if isinstance(row, RowFault) else (faults, rows + 1)
except DataFileError as error:
    refused = str(error)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss is also what forked it
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"rows": rows, "faults": faults, "refused": refused, "mb": max(used[1].ru_maxrss, peak) // 1024,
    "seconds": sum(one.ru_utime + one.ru_stime for one in used)}))
"""
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
FONT = b"/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << %b >> /Contents 4 0 R >>" % FONT
SAYS = b"BT /F 12 Tf (Hello) Tj ET "
CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
TWO_PAGES = b"<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 >>"


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), entries, content)


def deflated(megabytes: int, of: bytes = b"\0") -> bytes:
    packer = zlib.compressobj()
    block = of * (1_000_000 // len(of))
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def one_page(content: bytes) -> bytes:
    return make_raw_pdf([CATALOGUE, TWO_PAGES, PAGE, content])


def word(body: str, before: str = "") -> bytes:
    return make_docx_of(f"{before}<w:document {W}><w:body>{body}</w:body></w:document>")


def workbook_like(megabytes: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as part:
        for _ in range(megabytes):
            part.write(b" " * 1_000_000)
    return made.getvalue()


def lying_archive() -> bytes:
    """An archive that says its part has 1,000 bytes, of 150 million."""
    content = workbook_like(150)
    return content.replace((150_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))


def many_parts() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for i in range(60_000):
            archive.writestr(f"{i:0200}", b"")
    return made.getvalue()


LAUGHS = (
    '<!DOCTYPE w [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + "]>"
)
OUTSIDE = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
DEEP = 10_000

BOMBS = {
    "gzip that grows to 600 MB": ("a.jsonl.gz", lambda: gzip.compress(b"0" * 10_000_000) * 60, "grows too much"),
    "gzip of empty lines": ("a.csv.gz", lambda: gzip.compress(b"\n" * 10_000_000) * 60, "no header"),
    "JSON 10,000 deep": ("a.json", lambda: b"[" * DEEP + b"]" * DEEP, "more than 100 deep"),
    "JSON that only opens": ("a.json", lambda: b"[" * 20_000_000, "this JSON file is broken"),
    "JSON that only opens objects": ("a.json", lambda: b'{"data":' * 2_000_000, "this JSON file is broken"),
    "JSON in one string": ("a.json", lambda: b'["' + b"x" * 100_000_000 + b'"]', "longer than"),
    "JSON lines 10,000 deep": ("a.jsonl", lambda: b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"\n", "more than 100 deep"),
    "JSON lines in one line": ("a.jsonl", lambda: b'{"a": "' + b"x" * 100_000_000 + b'"}', "longer than"),
    "JSON number of a million digits": ("a.jsonl", lambda: b'{"a": ' + b"9" * 900_000 + b"}", "not valid JSON"),
    "CSV in one line": ("a.csv", lambda: b"text,label\n" + b"x" * 100_000_000, "longer than"),
    "CSV with a header without end": ("a.csv", lambda: b"x," * 20_000_000, "no header"),
    "CSV with a quote that never closes": ("a.csv", lambda: b'text,label\n"x,y\n' + b"x,y\n" * 500_000, "not valid CSV"),
    "CSV of quotes": ("a.csv", lambda: b"text,label\n" + b'"\n' * 500_000, "fields where the header has 2"),
    "text in one line": ("a.txt", lambda: b"x" * 100_000_000, "longer than"),
    "transcript in one turn": ("a.txt", lambda: b"Agent: a\nCaller: b\n" + b"more\n" * 5_000_000, "longer than"),
    "transcript of labels": ("a.txt", lambda: b"Agent: a\nCaller: b\n" + b"A B C D E: " * 90_000, ""),
    "captions of half tags": (
        "a.vtt",
        lambda: b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v A>" + b"<v" * 450_000 + b"\n" + b"&" * 900_000 + b"\n",
        "longer than",
    ),
    "Markdown of comments": ("a.md", lambda: b"x" + b"<!--" * 240_000, ""),
    "Markdown of headings": ("a.md", lambda: b"# # \n" * 190_000 + b"x", ""),
    "Markdown of fences and spaces": ("a.md", lambda: (b"```\n" + b" " * 100 + b"\n===\n") * 8_000, ""),
    "HTML 300,000 deep": ("a.html", lambda: b"<div>" * 300_000 + b"x", ""),
    "HTML of half tags": ("a.html", lambda: b"<a <" * 2_000_000, ""),
    "HTML with an attribute of 20 MB": ("a.html", lambda: b'<p x="' + b"x" * 20_000_000 + b'">x', ""),
    "HTML of declarations": ("a.html", lambda: b"<!" * 2_000_000, ""),
    "HTML in one text": ("a.html", lambda: b"<p>" + b"x" * 20_000_000, "longer than"),
    "HTML too large": ("a.html", lambda: b"<p>x" * 10_000_000, "larger than"),
    "Word part that unpacks to 210 MB": ("a.docx", lambda: workbook_like(210), "larger than"),
    "Word part that lies about its size": ("a.docx", lying_archive, "no Word document"),
    "Word with 60,000 parts": ("a.docx", many_parts, "too many parts"),
    "Word with a billion laughs": ("a.docx", lambda: word("<w:p><w:r><w:t>&j;</w:t></w:r></w:p>", LAUGHS), "document type"),
    "Word with laughs in an attribute": (
        "a.docx",
        lambda: word('<w:p><w:pPr><w:pStyle w:val="&j;"/></w:pPr></w:p>', LAUGHS),
        "no Word document",
    ),
    "Word that asks for a file": ("a.docx", lambda: word("<w:p><w:r><w:t>&x;</w:t></w:r></w:p>", OUTSIDE), "document type"),
    "Word 100,000 deep": ("a.docx", lambda: word("<w:sdt>" * 100_000 + "</w:sdt>" * 100_000), "no text"),
    "Word of empty paragraphs": ("a.docx", lambda: word("<w:p/>" * 1_000_000), "no text"),
    "PDF stream that unpacks to 300 MB": (
        "a.pdf",
        lambda: one_page(stream(deflated(300, SAYS), b"/Filter /FlateDecode")),
        "Limit reached while decompressing",
    ),
    "PDF stream packed twice": (
        "a.pdf",
        lambda: one_page(stream(zlib.compress(deflated(300)), b"/Filter [/FlateDecode /FlateDecode]")),
        "PDF",
    ),
    "PDF page of a million operators": ("a.pdf", lambda: one_page(stream(deflated(20, SAYS), b"/Filter /FlateDecode")), "PDF"),
    "PDF whose pages are in themselves": ("a.pdf", lambda: make_raw_pdf([CATALOGUE, b"<< /Type /Pages /Kids [2 0 R] /Count 9 >>"]), "PDF"),
    "PDF whose stream is as long as itself": ("a.pdf", lambda: one_page(b"<< /Length 4 0 R >>\nstream\nx\nendstream"), "PDF"),
    "PDF whose objects are each other": (
        "a.pdf",
        lambda: make_raw_pdf([CATALOGUE, b"3 0 R", b"2 0 R"]),
        "PDF",
    ),
    "PDF with a million times one page": (
        "a.pdf",
        lambda: make_raw_pdf([CATALOGUE, b"<< /Type /Pages /Kids [" + b"3 0 R " * 1_000_000 + b"] /Count 1000000 >>", PAGE, stream(b"")]),
        "PDF",
    ),
    "PDF of 5,001 pages": (
        "a.pdf",
        lambda: make_raw_pdf([CATALOGUE, b"<< /Type /Pages /Kids [" + b"3 0 R " * 5_001 + b"] /Count 5001 >>", PAGE, stream(SAYS)]),
        "has 5,001 pages",
    ),
    "PDF that claims a billion pages": (
        "a.pdf",
        lambda: make_raw_pdf([CATALOGUE, b"<< /Type /Pages /Kids [] /Count 1000000000 >>"]),
        "PDF",
    ),
    "PDF with nested arrays": ("a.pdf", lambda: one_page(b"[" * 500_000), "PDF"),
    "PDF with bookmarks in a circle": (
        "a.pdf",
        lambda: make_raw_pdf(
            [
                b"<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>",
                TWO_PAGES,
                PAGE,
                stream(b"BT (x) Tj ET"),
                b"<< /First 6 0 R /Last 6 0 R >>",
                b"<< /Title (x) /Next 6 0 R /First 6 0 R /Dest [3 0 R /Fit] >>",
            ]
        ),
        "",
    ),
    "PDF whose drawing draws itself": (
        "a.pdf",
        lambda: make_raw_pdf(
            [
                CATALOGUE,
                TWO_PAGES,
                PAGE.replace(FONT, FONT + b" /XObject << /X 5 0 R >>"),
                stream(b"/X Do /X Do"),
                stream(SAYS + b"/X Do /X Do", b"/Type /XObject /Subtype /Form /Resources << %b /XObject << /X 5 0 R >> >>" % FONT),
            ]
        ),
        "",
    ),
    "Parquet of long texts that are one": ("a.parquet", lambda: make_parquet([{"text": "x" * 900_000}] * 200), ""),
    "Parquet with a row that is too long": ("a.parquet", lambda: make_parquet([{"text": "x" * 50_000_000}]), "longer than"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_soon_and_small(name, tmp_path):
    file, make, said = BOMBS[name]
    (tmp_path / file).write_bytes(make())
    ran = subprocess.run([sys.executable, "-c", READ, str(tmp_path / file)], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "Traceback" not in ran.stderr
    found = json.loads(ran.stdout)
    assert found["rows"] or found["faults"] or found["refused"]
    assert said in found["refused"] + " ".join(found["faults"])
    assert "Traceback" not in found["refused"] + " ".join(found["faults"])
    assert found["mb"] < 900, found
    assert found["seconds"] < 40, found
