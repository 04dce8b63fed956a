"""qa and summary: what a model writes is parsed strictly, and kept only where the passage supports it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hatrack.cli.prepared import reply_table
from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.config_prepare import DocumentTasks
from hatrack.core.errors import ConfigError, DataFileError, ModelError
from hatrack.data.detect import detect
from hatrack.data.intake import read_examples
from hatrack.data.manifest import DataManifest, StepRecord
from hatrack.data.progress import silent
from hatrack.data.tasks.local_model import LocalModel
from hatrack.data.tasks.make_rows import make_rows
from hatrack.data.tasks.support import SupportReport
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from sample_documents import document_row, sample_documents

FEES = "The monthly fee is EUR 1,250.00 plus VAT. Invoices are due within 30 days. A late invoice bears interest."
CHANGES = "The Supplier announces a change of the fees in writing three months before. The Customer may then end the agreement at once."
LONG = f"{FEES} {CHANGES}"
GOOD = "Question: When are invoices due?\nAnswer: Invoices are due within 30 days."


def scripted(*replies):
    """A model that says what it is told to say, and remembers what it was asked."""
    remaining = list(replies)

    def generate(conversations):
        generate.asked += [conversation[-1].content for conversation in conversations]
        generate.shown = [turn.content for turn in conversations[0][:-1]]
        return [remaining.pop(0) for _ in conversations]

    generate.asked = []
    return generate


def made(documents, kind, *replies, **settings):
    report = SupportReport()
    generator = scripted(*replies)
    try:
        rows = list(make_rows(documents, DocumentTasks(kinds=(kind,), **settings), 1, generator, report))
    except DataFileError:
        rows = []
    return [[turn["content"] for turn in row.columns["messages"]] for row in rows], report, generator.asked


def test_a_supported_answer_becomes_a_row_without_the_passage():
    rows, report, asked = made([document_row(FEES, Fees=FEES)], "qa", f"\n {GOOD} \n")
    assert rows == [["When are invoices due?", "Invoices are due within 30 days."]]
    assert (report.asked, report.parsed, report.kept) == (1, 1, 1)
    assert FEES in asked[0]
    assert "Handbook" in asked[0]


@pytest.mark.parametrize(("kind", "replied"), [("qa", GOOD), ("summary", "Summary: The fee is due within 30 days, plus VAT.")])
def test_the_example_that_the_model_is_shown_would_itself_be_kept(kind, replied):
    generator = scripted(replied)
    list(make_rows([document_row(LONG, Fees=LONG)], DocumentTasks(kinds=(kind,)), 1, generator))
    asked, answered = generator.shown
    passage = asked.split("Passage:\n")[1]
    rows, report, _ = made([document_row(f"{passage} {CHANGES}", Rules=f"{passage} {CHANGES}")], kind, answered)
    assert report.kept == len(rows) == 1


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Invoices are due within 30 days.",
        f"Sure! {GOOD}",
        f"{GOOD}\nQuestion: What is the fee?\nAnswer: EUR 1,250.00 plus VAT.",
        "question: When are invoices due?\nanswer: Invoices are due within 30 days.",
        "Question: When are invoices due? Answer: Invoices are due within 30 days.",
        "Question:\nAnswer: Invoices are due within 30 days.",
        "Question: When are invoices due?\nAnswer:",
    ],
)
def test_anything_but_the_two_lines_is_rejected(reply):
    rows, report, _ = made([document_row(FEES, Fees=FEES)], "qa", reply)
    assert rows == []
    assert report.parsed == 0
    assert report.rejected == {"not in the format": 1}


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("When are invoices due", "Invoices are due within 30 days.", "a question without a question mark"),
        ("When are invoices due?", "When are invoices due?", "an answer that is a question"),
        ("Who is the king?", "Invoices are due within 30 days.", "a question about nothing in the passage"),
        ("When are invoices due?", "Invoices are due within 60 days.", "a number that the passage does not hold"),
        ("Who pays invoices?", "The invoices are paid by Southwind.", "a name that the passage does not hold"),
        ("What of late invoices?", "Somebody might complain about them bitterly.", "too few of its words stand in the passage"),
    ],
)
def test_what_the_passage_does_not_support_is_rejected_and_counted(question, answer, reason):
    rows, report, _ = made([document_row(FEES, Fees=FEES)], "qa", f"Question: {question}\nAnswer: {answer}")
    assert rows == []
    assert (report.parsed, report.kept) == (1, 0)
    assert report.rejected == {reason: 1}


def test_support_is_the_setting():
    reply = "Question: What of late invoices?\nAnswer: Late invoices bear interest."
    assert made([document_row(FEES, Fees=FEES)], "qa", reply, support=0.75)[0] != []
    assert made([document_row(FEES, Fees=FEES)], "qa", reply, support=0.8)[0] == []


def test_long_sections_are_asked_about_in_passages_up_to_the_limit_of_a_section():
    text = " ".join(f"Invoice number {i} of the year is due within 30 days of its date." for i in range(6))
    replies = ["nonsense"] * 9
    assert len(made([document_row(text, Fees=text)], "qa", *replies, max_words=30)[2]) == 1
    assert len(made([document_row(text, Fees=text)], "qa", *replies, max_words=30, per_section=2)[2]) == 2
    assert len(made([document_row(text, Fees=text)], "qa", *replies, max_words=30, per_section=9)[2]) == 3


def test_a_supported_summary_becomes_a_row_with_the_text():
    rows, report, _ = made([document_row(LONG, Fees=LONG)], "summary", "Summary: The fee is due within 30 days, plus VAT.")
    assert report.kept == 1
    assert LONG in rows[0][0]
    assert rows[0][1] == "The fee is due within 30 days, plus VAT."


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("The fee is due within 30 days.", "not in the format"),
        (f"Summary: {LONG}", "a summary of more than half of the text"),
        ("Summary: The fee is due within 31 days.", "a number that the passage does not hold"),
    ],
)
def test_a_summary_that_is_none_is_rejected(reply, reason):
    rows, report, _ = made([document_row(LONG, Fees=LONG)], "summary", reply)
    assert rows == []
    assert report.rejected == {reason: 1}


@pytest.mark.parametrize("kind", ["qa", "summary"])
def test_without_a_model_the_message_says_which_key_to_set(kind):
    with pytest.raises(ConfigError, match=r"prepare: \{documents: \{model"):
        list(make_rows([document_row(LONG)], DocumentTasks(kinds=(kind,)), 1))


def test_nonsense_of_a_real_tiny_model_is_all_rejected_and_reported(tiny_causal):
    report = SupportReport()
    model = LocalModel(ModelHost(open_base(str(tiny_causal))), max_new_tokens=12)
    settings = DocumentTasks(kinds=("qa", "summary"))
    with pytest.raises(DataFileError, match="no training row") as refused:
        list(make_rows(sample_documents(), settings, 1, model, report))
    assert report.asked > 10
    assert (report.parsed, report.kept) == (0, 0)
    assert report.rejected == {"not in the format": report.asked}
    assert f"{report.asked} asked" in refused.value.given


def test_what_the_model_wrote_is_recorded_with_its_fate_and_without_personal_data(tmp_path):
    (tmp_path / "fees.md").write_text(
        f"# Fees\n\n{FEES}\n\n# Contact\n\nWrite to anna@kolo.org about a late invoice. Answers take a day.\n"
    )
    config = AdapterConfig.model_validate(
        {"data": "fees.md", "task": "instruct", "prepare": {"documents": {"kinds": ["qa"], "model": "base"}}}
    )
    writer = scripted(GOOD, "Whom to ask about it? Ask anna@kolo.org.")
    counts = read_examples(tmp_path / "fees.md", "fees.md", config, detect(tmp_path / "fees.md"), tmp_path, writer, silent)
    assert [(reply["kind"], reply["reason"]) for reply in counts["replies"]] == [("qa", ""), ("qa", "not in the format")]
    assert "Ask <EMAIL_ADDRESS>" in counts["replies"][1]["reply"]
    manifest = DataManifest.model_construct(steps=(StepRecord(step="read", parameters={}, counts=counts),))
    screen = Console(file=io.StringIO(), width=120)
    screen.print(reply_table(manifest))
    assert "When are invoices due?" in screen.file.getvalue()
    assert "not in the format" in screen.file.getvalue()
    assert reply_table(DataManifest.model_construct(steps=())) is None


def test_a_local_model_answers_the_same_each_time_and_nothing_to_nothing(tiny_causal):
    model = LocalModel.open(str(tiny_causal))
    conversations = [(Message("user", text),) for text in ("red apple", "the river is")]
    assert model(conversations) == model(conversations)
    assert len(model(conversations)) == 2
    assert model([]) == []


def test_an_encoder_cannot_write(tiny_encoder):
    with pytest.raises(ModelError, match="does not generate text"):
        LocalModel.open(str(tiny_encoder))
