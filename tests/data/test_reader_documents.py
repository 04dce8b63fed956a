"""Text, Markdown, HTML, DOCX and PDF: title and sections of a document, and what is no part of its text."""

from __future__ import annotations

import zlib

import pytest

from hatrack.core.errors import DataFileError
from hatrack.data.readers import pdf
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault
from made_files import FIXTURES, make_docx, make_docx_of, make_pdf, make_raw_pdf

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


@pytest.fixture
def document(tmp_path):
    """The columns of the one document in these bytes, or its fault."""

    def read(name: str, content: bytes | str, **keys):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        (row,) = open_rows(path, **keys)
        return row.columns if isinstance(row, RawRow) else row.reason

    return read


def outline(columns):
    return [(section["level"], section["heading"], section["text"]) for section in columns["sections"]]


def test_a_text_is_one_section_under_the_files_name(document):
    columns = document("guide.txt", (FIXTURES / "guide.txt").read_bytes())
    assert columns["title"] == "guide"
    assert outline(columns) == [(0, "", "Renting a flat.\n\nRead the contract.\nIt counts.")]


def test_markdown_is_cut_at_its_headings(document):
    columns = document("guide.md", (FIXTURES / "guide.md").read_bytes())
    assert columns["title"] == "Renting a flat"
    assert outline(columns) == [
        (0, "", "Before anything: read the contract."),
        (1, "Deposit", "At most three months' rent.\n\n```text\n# not a heading\n```"),
        (2, "Giving it back", "- within six months\n- with interest"),
        (2, "Disputes", "Write a letter. | Wait."),
    ]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# One #\n#no\n#\ttwo\nx", ["One", "two"]),
        ("Name\n===\nx", ["Name"]),
        ("- item\n---\nx", []),
        ("| a |\n---\nx", []),
        ("~~~\n# a\n```\n# b\n~~~\n# c\nx", ["c"]),
        ("```\n# open to the end\n", []),
        ("    # code\nx", []),
        ("# a\u2028b\nx", ["a\u2028b"]),
    ],
)
def test_what_is_a_heading_in_markdown(document, text, headings):
    assert [heading for _, heading, _ in outline(document("a.md", text)) if heading] == headings


@pytest.mark.parametrize(
    ("text", "title"),
    [("# First\nx", "First"), ("---\ntitle: T\n---\n# First\nx", "T"), ("## Second\nx", "a"), ("---\nno end\n# First\nx", "First")],
)
def test_the_title_of_markdown_is_its_front_matters_or_its_first_heading(document, text, title):
    assert document("a.md", text)["title"] == title


def test_html_is_the_text_of_main_without_navigation_scripts_and_styles(document):
    columns = document("guide.html", (FIXTURES / "guide.html").read_bytes())
    assert columns["title"] == "Renting a flat"
    assert outline(columns) == [
        (1, "Deposit", "At most three months' rent.\nNo\u00a0more."),
        (2, "Giving it back", "- within six months\n\n- with interest\n\nWhat | When\n\ndeposit | six months\n\n  keep\n    this"),
    ]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a<nav><p>no<br>no</nav><p>b", "a\n\nb"),
        ("<p>a<div hidden>no</div>b", "a\n\nb"),
        ("<form><p>a<input value=no><button>no</button></form>", "a"),
        ("<h2><button>Open</button></h2><p>a", "Open\n\na"),
        ("<p>a</p><main><p>b</p></main><p>c</p>", "b"),
        ("<p>a &lt;b&gt; &amp; c</p>", "a <b> & c"),
        ("a<script>1<2</script>b<style>x</style><!-- no -->c", "abc"),
        ("<p>a\u2028b\u0085c", "a\u2028b\u0085c"),
        ("<?xml version='1.0' encoding='latin-1'?><html><body><p>é</p></body></html>", "é"),
        ("<p>one<svg><title>no</title><text>no</text></svg>two", "onetwo"),
        ("<p>a\x00b</p>", "a\ufffdb"),
    ],
)
def test_what_is_text_in_html(document, page, text):
    assert document("a.html", page)["text"] == text


def test_a_page_in_a_declared_character_set_is_read_in_it(document):
    assert document("a.htm", '<meta charset="windows-1252"><p>40 \u20ac'.encode("cp1252"))["text"] == "40 \u20ac"


@pytest.mark.parametrize("head", [b"", b"<meta charset=none-such>", b"<meta charset=rot13>", b"<meta charset=idna>"])
def test_a_page_in_no_known_character_set_is_refused(document, head):
    with pytest.raises(DataFileError, match="not UTF-8 and declares no character set"):
        document("a.html", head + b"<p>40 \xa4")


@pytest.mark.parametrize(("name", "content"), [("a.html", "<nav>x</nav>"), ("a.md", "# only a heading"), ("a.html", "<title>x</title>")])
def test_a_document_without_text_is_a_fault(document, name, content):
    assert document(name, content) == "there is no text in this document"


def test_word_headings_are_sections_and_the_title_is_the_documents(document):
    blocks = [
        ("Title", "Renting"),
        ("Normal", "Read."),
        ("Heading 1", "Deposit"),
        ("Normal", "Three\tmonths.\nNo more."),
        ("Heading 3", "Back"),
        ("List Bullet", "in time"),
    ]
    columns = document("a.docx", make_docx(blocks))
    assert columns["title"] == "Renting"
    assert outline(columns) == [(0, "", "Read."), (1, "Deposit", "Three\tmonths.\nNo more."), (3, "Back", "in time")]
    assert document("a.docx", make_docx(blocks, title="Set in the file"))["title"] == "Set in the file"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "<w:p><w:r><w:t>a</w:t></w:r><w:ins><w:r><w:t>b</w:t></w:r></w:ins><w:del><w:r><w:delText>no</w:delText></w:r></w:del></w:p>",
            "ab",
        ),
        ("<w:sdt><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent></w:sdt>", "in a control"),
        (
            "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc><w:tc><w:tbl><w:tr><w:tc><w:p><w:r>"
            "<w:t>c</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl><w:p><w:r><w:t>d</w:t></w:r></w:p>",
            "a b | c\n\nd",
        ),
        (
            '<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice><w:txbxContent><w:p><w:r>'
            "<w:t>box</w:t></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent>"
            "</mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>after</w:t></w:r></w:p>",
            "box\nafter",
        ),
        ("<w:p><w:r><w:t>a\u2028b</w:t></w:r></w:p>", "a\u2028b"),
    ],
)
def test_what_is_text_in_word(document, body, text):
    assert document("a.docx", make_docx_of(f"<w:document {W}><w:body>{body}</w:body></w:document>"))["text"] == text


def test_heading_styles_are_known_by_name_in_every_language_version(document):
    styles = f'<w:styles {W}><w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style></w:styles>'
    heading = '<w:p><w:pPr><w:pStyle w:val="berschrift2"/></w:pPr><w:r><w:t>Kaution</w:t></w:r></w:p>'
    body = heading + "<w:p><w:r><w:t>Drei Monate.</w:t></w:r></w:p>"
    columns = document("a.docx", make_docx_of(f"<w:document {W}><w:body>{body}</w:body></w:document>", word__styles=styles))
    assert outline(columns) == [(2, "Kaution", "Drei Monate.")]


def test_an_empty_heading_in_word_says_nothing_of_the_next_paragraph(document):
    blocks = [("Heading 1", "Deposit"), ("Heading 2", ""), ("Normal", "Three months.")]
    assert outline(document("a.docx", make_docx(blocks))) == [(1, "Deposit", "Three months.")]


def test_a_workbook_is_no_word_document(document):
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    assert "it is no Word document" in document("a.docx", stream.getvalue())


def test_pdf_pages_are_sections_and_bookmarks_cut_them(document):
    pages = ["Deposit\nThree months.\nBack\nIn time.", "Disputes\nWrite."]
    plain = document("a.pdf", make_pdf(pages, title="Renting"))
    assert plain["title"] == "Renting"
    assert outline(plain) == [(0, "", "Deposit\nThree months.\nBack\nIn time."), (0, "", "Disputes\nWrite.")]
    assert document("a.pdf", make_pdf())["title"] == "a"
    marks = [(0, 0, "Deposit"), (0, 1, "Back"), (1, 0, "disputes"), (1, 0, "Not there")]
    assert outline(document("a.pdf", make_pdf(pages, bookmarks=marks))) == [
        (1, "Deposit", "Three months."),
        (2, "Back", "In time."),
        (1, "disputes", ""),
        (1, "Not there", "Write."),
    ]


def test_an_encrypted_pdf_is_a_fault_that_says_so(document):
    assert document("a.pdf", make_pdf(encrypt="secret")) == "this PDF is encrypted; save it without a password"


def test_a_pdf_that_is_only_locked_against_changes_is_read(document):
    from reportlab.lib.pdfencrypt import StandardEncryption

    assert document("a.pdf", make_pdf(encrypt=StandardEncryption("", "owner")))["text"] == "Read the contract."


def test_a_pdf_of_pictures_is_a_fault_that_says_what_to_do(document):
    assert "no text can be taken from this PDF" in document("a.pdf", make_pdf([""]))


def test_a_damaged_pdf_is_refused_with_the_reason(document):
    with pytest.raises(DataFileError, match="this PDF cannot be read") as refused:
        document("a.pdf", make_pdf()[:200])
    assert "Traceback" not in str(refused.value)


def test_a_pdf_that_takes_too_long_is_a_fault(document, monkeypatch):
    monkeypatch.setattr(pdf, "_SECONDS", 0.01)
    assert document("a.pdf", make_pdf()) == "this PDF could not be read within 0.01 seconds"


def test_a_pdf_that_takes_too_much_memory_is_refused(document, monkeypatch):
    monkeypatch.setattr(pdf, "_MEMORY", 100_000_000)
    packed = zlib.compress(b" " * 70_000_000)
    font = b"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /Resources %b /Contents 4 0 R >>" % font,
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(packed), packed),
    ]
    with pytest.raises(DataFileError, match="this PDF cannot be read") as refused:
        document("a.pdf", make_raw_pdf(objects))
    assert "takes more than 100,000,000 bytes" in refused.value.given


def test_a_missing_library_is_named_with_its_extra(document, monkeypatch):
    import sys

    from hatrack.core.errors import MissingExtra

    for module, name, content in (("pypdf", "a.pdf", make_pdf()), ("lxml", "a.html", b"<p>x"), ("lxml", "a.docx", make_docx())):
        with monkeypatch.context() as patch:
            for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] == module]:
                patch.delitem(sys.modules, loaded)
            patch.setitem(sys.modules, module, None)
            with pytest.raises(MissingExtra, match=f"needs the package {module}") as refused:
                document(name, content)
            assert "hatrack[documents]" in refused.value.fix


def test_row_faults_are_not_sentences_of_a_parser(tmp_path):
    (tmp_path / "a.txt").write_text("x" * 2000)
    assert list(open_rows(tmp_path / "a.txt", max_row_bytes=1000)) == [RowFault(1, "longer than 1,000 bytes (checks.max_row_bytes)")]
