from __future__ import annotations

import re
from xml.etree import ElementTree

from hatrack.training.report import write_report
from tiny_training import train

FIGURES = {"expected_seconds": 100.0, "seconds": 90.0, "expected_rss_mb": 1000.0, "peak_rss_mb": 950.0, "steps": 7.0}


def test_a_finished_run_has_a_page_that_needs_nothing_beside_it(make_project):
    page = (train(make_project("classify-by-text", system="<b>Name</b> & be brief.")).run / "report.html").read_text()
    assert not re.search(r"https?://|src=|href=", page)
    assert page.count("<polyline") == 2
    assert "&lt;b&gt;Name&lt;/b&gt; &amp; be brief." in page
    assert '"learning_rate": 0.001' in page


def test_curves_are_where_the_losses_are(tmp_path):
    lines = ['{"step": 1, "loss": 4.0}', '{"step": 2, "loss": 2.0}', '{"step": 2, "eval_loss": 1.0}', '{"step": 4, "loss": 0.0}']
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    page = write_report(tmp_path, "legal: lora", {"task": "classify"}, FIGURES).read_text()
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", page)[0])
    training, validation = ([tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in svg.iter("polyline"))
    assert [y for _, y in training] == [10.0, 141.0, 272.0]
    assert training[1][0] == validation[0][0]
    assert validation[0][1] == 206.5
    assert training[-1][0] == 710.0


def test_expected_and_measured_stand_side_by_side(tmp_path):
    (tmp_path / "events.jsonl").write_text('{"step": 1, "loss": 4.0}\n')
    page = write_report(tmp_path, "it", {}, FIGURES).read_text()
    assert "<td>seconds</td><td>100</td><td>90</td>" in page
    assert "<td>peak memory, MB</td><td>1,000</td><td>950</td>" in page
    assert "<td>steps</td><td>7</td>" in page
