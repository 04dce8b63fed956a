"""Lineage: which versions are drawn where, what leads to what, and that the words say the same."""

from __future__ import annotations

import re

import pytest

from conftest import label_rows, write_jsonl
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.studio.lineage import lineage_of
from made_versions import added, draft
from projects import write_project
from studio_server import opened


@pytest.fixture
def registry(tmp_path):
    return Registry(Project(tmp_path))


def made_from(registry, folder, weights, *parents, name="legal"):
    """A version that was made from others."""
    manifest = draft(registry, folder, weights, name).model_copy(update={"parents": tuple(parents)})
    return registry.add(manifest, folder)


@pytest.fixture
def merged(registry, tmp_path):
    """legal 1.0.0, 1.0.1, and 1.0.2, which was merged from 1.0.0 and tax@1.0.0, which was trained on from vat@1.0.0."""
    vat = added(registry, tmp_path / "vat", "v", "vat")
    tax = made_from(registry, tmp_path / "tax", "t", vat.digest, name="tax")
    first = added(registry, tmp_path / "one", "1")
    added(registry, tmp_path / "two", "2")
    return made_from(registry, tmp_path / "three", "3", first.digest, tax.digest)


def test_own_versions_stand_in_a_line_and_what_they_were_made_from_beside_it(registry, merged):
    found = lineage_of(registry, "legal")
    assert [(node.name, node.kind) for node in found.nodes] == [
        ("1.0.2", "own"),
        ("tax@1.0.0", "other"),
        ("vat@1.0.0", "other"),
        ("1.0.1", "own"),
        ("1.0.0", "own"),
    ]
    assert len({node.x for node in found.nodes if node.kind == "own"}) == 1
    assert [node.y for node in found.nodes] == sorted({node.y for node in found.nodes})
    assert sorted(edge.kind for edge in found.edges) == ["after", "after", "made", "made", "made"]
    assert found.words == (
        "1.0.2: merged from 1.0.0 and tax@1.0.0, after 1.0.1",
        "tax@1.0.0: made from vat@1.0.0",
        "1.0.1: after 1.0.0",
        "1.0.0: the first",
    )


def test_each_line_begins_and_ends_at_a_version(registry, merged):
    found = lineage_of(registry, "legal")
    places = {(node.x, node.y) for node in found.nodes}
    for edge in found.edges:
        numbers = [int(number) for number in re.findall(r"-?\d+", edge.path)]
        x = numbers[-3] if "V" in edge.path and "C" in edge.path else numbers[0] if "V" in edge.path else numbers[-2]
        assert (numbers[0], numbers[1]) in places, edge
        assert (x, numbers[-1]) in places, edge
    assert all(0 < node.x < found.text_at < found.width and 0 < node.y < found.height for node in found.nodes)


def test_what_is_gone_is_named_by_its_digest_and_nothing_is_drawn_of_one_version_alone(registry, tmp_path):
    added(registry, tmp_path / "alone", "a", "alone")
    assert lineage_of(registry, "alone") is None
    made_from(registry, tmp_path / "orphan", "o", "0123456789abcdef" * 4, name="orphan")
    found = lineage_of(registry, "orphan")
    assert [(node.name, node.note, node.kind) for node in found.nodes[1:]] == [("0123456789ab", "not here any more", "gone")]
    assert found.words == ("1.0.0: made from 0123456789ab",)


def test_of_many_versions_the_newest_are_drawn(registry, tmp_path):
    for number in range(43):
        added(registry, tmp_path / "many", str(number), "many")
    found = lineage_of(registry, "many")
    assert (len(found.nodes), found.nodes[0].name) == (40, "1.0.42")
    assert found.words[-1] == "1.0.3: after 1.0.2", "what is not drawn is still named"


def test_the_page_draws_it_and_says_it_in_words(registry, merged, tmp_path, tiny_encoder):
    write_jsonl(tmp_path / "legal.jsonl", label_rows(60))
    write_project(tmp_path, tiny_encoder, {"legal": {"data": "legal.jsonl", "task": "classify"}})
    with opened(tmp_path) as at:
        shown = at.client.get("/adapters/legal").text
        assert shown.count('<circle class="node') == 5
        assert shown.count('<path class="edge made"') == 3
        assert 'role="img" aria-label="Lineage of legal: 5 versions' in shown
        assert "<li>1.0.2: merged from 1.0.0 and tax@1.0.0, after 1.0.1</li>" in shown
        assert "Lineage" not in at.client.get("/adapters/vat").text
