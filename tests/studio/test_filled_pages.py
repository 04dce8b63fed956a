"""Pages with something on them: versions of a long lineage, rows with personal data, runs, keys; nobody is kept out by any of them."""

from __future__ import annotations

import pytest

from browser import CHROMIUM, browser
from conftest import label_rows, write_jsonl
from hatrack.core.lineage import EvalReport
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from made_versions import added, draft, report
from projects import copy_of, trained_by_text
from studio_server import opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


@pytest.fixture(scope="module")
def at(tiny_causal, tmp_path_factory):
    """Two trained adapters; of ``colours`` there are more versions, one of them merged and proven, by hand."""
    folder = tmp_path_factory.mktemp("filled")
    root = copy_of(trained_by_text(tiny_causal), folder)
    rows = label_rows(150)
    rows[2]["text"] += " write to j.doe@kolo.org or call +1 202 555 0143"
    write_jsonl(root / "colours.jsonl", rows)
    registry = Registry(Project(root))
    first, shy = registry.resolve("colours@1.0.0"), registry.resolve("shy")
    alike = {key: first.config[key] for key in ("task", "labels", "system", "method")}
    added(registry, folder / "more", "more", "colours", fingerprint=first.base_fingerprint, template=first.template_hash, **alike)
    merged = draft(
        registry, folder / "merged", "merged", "colours", fingerprint=first.base_fingerprint, template=first.template_hash, **alike
    )
    merged = registry.add(merged.model_copy(update={"parents": (first.digest, shy.digest)}), folder / "merged")
    proof: EvalReport = report(merged)
    registry.add_report(merged, proof)
    with opened(root) as at:
        at.post("/keys/make", name="ana", tenant="acme", scopes="use:colours", requests_per_minute="30")
        yield at


def paths(at):
    """Every page that shows something of the project."""
    run = next(path.parent.name for path in at.studio.project.runs.glob("colours-*/events.jsonl"))
    other = next(path.parent.name for path in at.studio.project.runs.glob("shy-*/events.jsonl"))
    return (
        "/",
        "/adapters/colours",
        "/data?of=colours&file=colours.jsonl",
        f"/runs/{run}",
        f"/runs?run={run}&run={other}",
        "/keys",
        "/watch",
    )


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (360, False)])
def test_pages_with_something_on_them_keep_nobody_out(at, tmp_path, width, dark):
    with browser(tmp_path / "profile") as page:
        page.look(width, dark=dark)
        for path in paths(at):
            page.open(at.url + path)
            assert page.value("document.documentElement.scrollWidth") <= width, f"{path} sticks out"
            assert page.barriers() == [], path
        page.open(f"{at.url}/adapters/colours")
        assert page.value("document.querySelectorAll('svg .node').length") == 4
        assert page.complaints == []
