"""The pictures, read back as SVG."""

import re
import xml.etree.ElementTree as ET

import pytest

from hatrack.data.quality.label_errors import Confusion
from hatrack.data.quality.labels import LabelCount
from hatrack.data.quality.lengths import LabelLength, Measured, token_lengths
from hatrack.data.quality.record import Basis
from hatrack.data.quality.report import MapPoint
from hatrack.workflows.check_page import plots
from hatrack.workflows.check_page.svg import shortened, text

EVIL = "<script>alert('x')</script> & \"more\""


def lengths(numbers, max_length):
    return token_lengths([Measured(n, 1) for n in numbers], max_length, Basis(rows=len(numbers), of=len(numbers)))


def counts(number, name="label {}"):
    return [LabelCount(label=name.format(i), train=number - i, validation=1, test=1) for i in range(number)]


DRAWN = {
    "splits": plots.split_bar("p", {"train": 80, "validation": 10, "test": 10}),
    "lengths": plots.length_histogram("p", lengths([5, 9, 9, 12, 30], 20)),
    "labels": plots.label_bars("p", counts(3, EVIL + "{}")),
    "by label": plots.label_lengths("p", [LabelLength(label=EVIL, rows=3, median=4, p95=9)]),
    "confusions": plots.confusion_grid("p", [Confusion(given=EVIL, suggested="b", rows=3), Confusion(given="b", suggested="c", rows=1)]),
    "map": plots.embedding_map("p", [MapPoint(x, x * x, EVIL if x > 0 else "b") for x in (-1, -0.5, 0, 0.5, 1)]),
}


@pytest.mark.parametrize("svg", DRAWN.values(), ids=DRAWN)
def test_a_picture_is_well_formed_and_says_what_it_shows(svg):
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "p-t p-d"
    said = {node.get("id"): node.text for node in root if node.tag in ("title", "desc")}
    assert said["p-t"]
    assert said["p-d"]


@pytest.mark.parametrize("svg", DRAWN.values(), ids=DRAWN)
def test_names_are_escaped_and_nothing_is_fetched(svg):
    assert "<script" not in svg
    assert "http" not in svg
    assert not re.search(r"\bhref|url\(|\bon\w+=|style=", svg)


@pytest.mark.parametrize("svg", DRAWN.values(), ids=DRAWN)
def test_everything_lies_inside_the_picture(svg):
    root = ET.fromstring(svg)
    width, height = map(float, root.get("viewBox").split()[2:])
    for rect in root.iter("rect"):
        x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width + 0.2
        assert 0 <= y <= y + h <= height + 0.2
    for node in root.iter("text"):
        assert 0 <= float(node.get("x")) <= width
        assert 0 <= float(node.get("y")) <= height


def bars(svg, kind):
    return [node for node in ET.fromstring(svg).iter("rect") if node.get("class") == kind]


def test_the_bars_of_the_splits_are_as_long_as_their_shares():
    widths = [float(bars(DRAWN["splits"], f"c{i}")[0].get("width")) + 2 for i in range(3)]
    assert [width / sum(widths) for width in widths] == pytest.approx([0.8, 0.1, 0.1], abs=0.005)


def test_rows_beyond_max_length_are_drawn_in_another_colour_and_the_line_is_there():
    svg = DRAWN["lengths"]
    assert [bar.find("title").text for bar in bars(svg, "bad")] == ["30 to 31 tokens: 1 row"]
    assert len(bars(svg, "bar")) == 3
    assert "max_length 20" in svg
    assert 'class="limit"' in svg


def test_a_limit_far_to_the_right_is_said_and_not_drawn():
    svg = plots.length_histogram("p", lengths([5, 9, 9, 12, 30], 512))
    assert "lies far to the right" in svg
    assert '<line class="limit"' not in svg


def test_of_many_labels_the_largest_and_the_smallest_are_drawn():
    svg = plots.label_bars("p", counts(50))
    assert len(bars(svg, "bar")) == 19
    assert "… 31 more …" in svg
    assert "label 0" in svg
    assert "label 49" in svg
    assert ">label 25<" not in svg


def test_a_bar_is_as_long_as_its_count():
    widths = [float(bar.get("width")) for bar in bars(plots.label_bars("p", counts(4)), "bar")]
    assert [width / widths[0] for width in widths] == pytest.approx([1, 0.75, 0.5, 0.25], abs=0.01)


def test_the_grid_holds_each_pair_at_its_row_and_column():
    pairs = [Confusion(given="a", suggested="c", rows=5), Confusion(given="b", suggested="a", rows=1)]
    root = ET.fromstring(plots.confusion_grid("p", pairs))
    cells = {
        node.find("title").text: (float(node.get("x")), float(node.get("y")))
        for node in root.iter("rect")
        if node.find("title") is not None
    }
    strong, weak = cells["a, looks like c: 5 rows"], cells["b, looks like a: 1 row"]
    assert strong[0] > weak[0]  # column c lies right of column a
    assert strong[1] < weak[1]  # row a lies above row b


def test_the_largest_labels_have_colours_and_the_rest_is_grey():
    points = [MapPoint(i / 100, i / 50, f"label {min(i // 10, 9)}") for i in range(95)]
    svg = plots.embedding_map("p", points)
    assert svg.count("dot key") == 9
    assert "2 other labels (15)" in svg
    assert sum(path.count("h0") for path in re.findall(r'<path class="dot (?:c\d|rest)" d="([^"]+)"', svg)) == 95


def test_points_without_labels_have_one_colour_and_no_legend():
    svg = plots.embedding_map("p", [MapPoint(0, 0, ""), MapPoint(1, 1, "")])
    assert "key" not in svg
    assert "dot c0" in svg


def test_a_name_that_is_too_long_loses_its_middle():
    assert shortened("short", 10) == "short"
    assert shortened("balance_not_updated_after_bank_transfer", 20) == "balance_not…transfer"
    assert len(shortened("x" * 99, 20)) == 20


def test_text_is_escaped():
    assert text(1, 2.25, "<b>") == '<text x="1" y="2.2">&lt;b&gt;</text>'
