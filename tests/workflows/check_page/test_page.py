"""The page: complete in itself, safe, usable without eyes and without a mouse, the same twice."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hatrack.data.quality.overlap import overlap
from hatrack.data.quality.report import Evidence, Refusal
from hatrack.workflows.check import Finding, TokenRow
from hatrack.workflows.check_page.page import render_page
from quality_rows import answered, judged, labelled, relabel, spread_out

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "wbr", "br", "link", "img", "input", "hr"}


def finding(assessed, shown=(), refusal=None):
    return Finding(assessed.report, assessed.points, tuple(shown), refusal)


def evil_rows():
    """Every section has something to show, and the text that must not run stands in labels, texts and answers."""
    rows = [replace(row, text=f"{row.text} {EVIL}") for row in labelled(300)]
    rows = relabel(rows, dict.fromkeys(range(0, 300, 7), EVIL) | {1: "railway", 2: "kitchen", 10: "Weather"})
    rows[20], rows[21] = replace(rows[20], text="--"), replace(rows[21], text=EVIL + " word" * 900)
    return [*rows, replace(rows[4], row=900, label="railway"), replace(rows[5], row=901, label="kitchen")]


@pytest.fixture(scope="module")
def evil():
    rows = evil_rows()
    shared = overlap(f"{EVIL}.jsonl", rows, rows, [(3, 3)], str)
    evidence = Evidence(language=lambda text: (EVIL, 0.9), pii={EVIL: 3}, overlap=shared)
    assessed = judged(
        spread_out(rows),
        evidence=evidence,
        rejected=2,
        reasons={EVIL: 2},
        max_length=200,
        refusal=Refusal(what=EVIL, given=EVIL, allowed=EVIL, do=EVIL),
    )
    shown = TokenRow(1, ((EVIL, False), ("user\n", False), ("yes", True), (EVIL, True)))
    return render_page([finding(assessed, [shown])])


@pytest.fixture(scope="module")
def clean():
    talk = judged(spread_out(answered(["It is so."] * 120)), "instruct")
    return render_page([finding(judged(spread_out(labelled(300)))), finding(talk)])


class Read(HTMLParser):
    """Tags in order, with the check that each is closed."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.texts = [], [], {}
        self.feed(page)
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, len(self.tags) - 1))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1][0] == tag, f"</{tag}> closes <{self.open[-1][0]}>"
        self.open.pop()

    def handle_data(self, data):
        for _, index in self.open:
            self.texts[index] = self.texts.get(index, "") + data

    def all(self, *names):
        return [(tag, attrs, self.texts.get(i, "")) for i, (tag, attrs) in enumerate(self.tags) if tag in names]


@pytest.mark.parametrize("page", ["evil", "clean"])
def test_nothing_is_loaded_and_nothing_runs(page, request):
    text = request.getfixturevalue(page)
    read = Read(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    assert {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in read.tags} == set()
    for _, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style", "action")]
        assert attributes.get("href", "#").startswith("#")
    policy = [attributes["content"] for tag, attributes in read.tags if attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_what_looks_like_markup_in_the_data_is_shown_as_text(evil):
    assert EVIL not in evil
    assert evil.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 20
    shown = " ".join(text for _, _, text in Read(evil).all("td"))
    assert EVIL in shown


def test_every_section_of_a_page_with_all_findings_is_there(evil):
    read = Read(evil)
    headings = [text for _, _, text in read.all("h3")]
    assert headings == [
        *("What to do", "Rows", "Lengths", "Labels", "Likely label errors", "Contradictions", "Form of the answers", "Variety", "Edges"),
        *("Personal data", "What is trained, token by token"),
    ]
    links = [attributes["href"][1:] for _, attributes, _ in read.all("a")]
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert set(links) <= set(ids)
    assert len(ids) == len(set(ids))
    assert len([link for link in links if link.startswith("a0-")]) == len(headings)


@pytest.mark.parametrize("page", ["evil", "clean"])
def test_the_page_can_be_read_aloud(page, request):
    read = Read(request.getfixturevalue(page))
    html, title = read.all("html")[0], read.all("title")[0]
    assert html[1]["lang"] == "en"
    assert title[2].startswith("Data quality: made")
    levels = [int(tag[1]) for tag, _, _ in read.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(text.strip() for _, _, text in read.all("h1", "h2", "h3", "h4", "th", "caption", "figcaption", "summary"))
    assert len(read.all("caption")) == len(read.all("table")) > 0
    assert all(attributes.get("scope") == "col" for _, attributes, _ in read.all("th"))
    ids = {attributes.get("id") for _, attributes in read.tags}
    for _, attributes, _ in read.all("svg"):
        assert attributes["role"] == "img"
        assert set(attributes["aria-labelledby"].split()) <= ids
    for _, attributes in read.tags:
        if attributes.get("tabindex") == "0":  # what scrolls can be reached by keyboard and has a name
            assert attributes["role"] == "region"
            assert attributes["aria-label"]


def test_the_trained_tokens_are_marked_with_a_legend_and_for_screen_readers(evil):
    read = Read(evil)
    assert [text for _, _, text in read.all("mark")] == ["this token is trained", "yes", EVIL]
    tokens = next(text for _, attributes, text in read.all("p") if attributes.get("class") == "tokens")
    assert tokens == f"{EVIL}user⏎\n[trained: yes{EVIL}]"
    assert "2 of 4 tokens are trained" in evil


def test_a_refusal_is_said_and_data_without_one_can_be_trained_on(evil, clean):
    assert "Training refuses this data" in evil
    assert "This data can be trained on" not in evil
    assert clean.count("This data can be trained on") == 2
    assert "no rule of thumb was broken" in clean


def test_light_and_dark_and_paper_are_provided_for(clean):
    for words in ("prefers-color-scheme: dark", "@media print", "@media (max-width", 'name="viewport"'):
        assert words in clean


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        *((ink, paper) for ink in ("ink", "muted", "serious", "warning", "note", "good", "limit") for paper in ("paper", "card")),
        ("mark-ink", "mark"),
    ],
)
def test_text_stands_out_from_its_ground(clean, scheme, ink, paper):
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5 to 1."""
    names = [dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", clean, re.DOTALL)]
    high, low = sorted((luminance(names[scheme][ink]), luminance(names[scheme][paper])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_same_findings_make_the_same_page_and_it_is_small(evil):
    rows = evil_rows()
    first, second = (render_page([finding(judged(spread_out(rows)))]) for _ in range(2))
    assert first == second
    assert len(first.encode()) < 500_000
    assert len(evil.encode()) < 500_000
