"""Learning what adapters are about: thresholds by their rule, profiles in the registry, commands that show both."""

import json

import numpy as np
import pytest
import yaml

from conftest import write_jsonl
from hatrack.core.config_route import RoutingSettings
from hatrack.core.errors import DataFileError
from hatrack.core.project import Project
from hatrack.models.content import CONTENT
from hatrack.registry.store import Registry
from hatrack.workflows.route_content import choose_threshold, learn_profile
from made_versions import added


def spread(low, high, count):
    return np.linspace(low, high, count, dtype=np.float32)


def test_a_threshold_keeps_the_stated_share_of_foreign_texts_away():
    far = spread(0, 0.5, 101)
    threshold = choose_threshold(spread(0.3, 0.9, 50), far, RoutingSettings(send_away=0.9, keep=0.999))
    assert (far < threshold).mean() >= 0.9
    assert threshold == pytest.approx(0.45, abs=0.01)


def test_and_rises_as_long_as_the_stated_share_of_own_texts_reaches_it():
    near = spread(0.6, 0.9, 100)
    threshold = choose_threshold(near, spread(0, 0.3, 100), RoutingSettings(send_away=0.98, keep=0.9))
    assert threshold > 0.6
    assert (near >= threshold).mean() == pytest.approx(0.9, abs=0.011)


def test_a_profile_tells_two_directions_apart():
    rng = np.random.default_rng(0)
    cloud = lambda axis: (v := np.eye(8)[axis] + rng.normal(0, 0.2, (200, 8))) / np.linalg.norm(v, axis=1, keepdims=True)  # noqa: E731
    own, foreign = (cloud(axis).astype(np.float32) for axis in (0, 1))
    profile = learn_profile(own[:100], own[100:], foreign, RoutingSettings(), "e")
    assert profile.centroids.shape == (10, 8)
    assert profile.figures.kept >= 0.94
    assert profile.figures.sent_away >= 0.98
    assert np.linalg.norm(profile.centroids, axis=1) == pytest.approx(1)


@pytest.fixture(scope="module")
def project(tmp_path_factory, tiny_encoder):
    """Two adapters whose words have nothing in common; the real embedder tells them apart."""
    root = tmp_path_factory.mktemp("routed")
    rng = np.random.default_rng(1)
    words = {"colours": ["red", "green", "blue", "cloud"], "beasts": ["bird", "fish", "tree", "river"]}
    adapters = {}
    for name, own in words.items():
        texts = [" ".join(rng.choice(own, 8)) + f" {i}" for i in range(120)]
        write_jsonl(root / f"{name}.jsonl", [{"id": str(i), "text": text, "label": own[i % 2]} for i, text in enumerate(texts)])
        adapters[name] = {"data": f"{name}.jsonl", "task": "classify", "split": [0.5, 0.25, 0.25]}
        added(Registry(Project(root)), root / "made" / name, weights=name, name=name)
    config = {"base": str(tiny_encoder), "adapters": adapters, "routing": {"send_away": 0.5, "keep": 0.9}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    return root


@pytest.fixture
def learned(project, hatrack):
    if not Registry(Project(project)).attached(CONTENT):
        ran = hatrack("route", "--learn", "--json", project=project)
        assert ran.code == 0, ran
        (project / "learned.json").write_text(ran.out)
    return json.loads((project / "learned.json").read_text())


def test_learning_gives_each_version_a_profile_and_says_how_well_it_separates(learned, project):
    assert {one["adapter"] for one in learned} == {"colours", "beasts"}
    for one in learned:
        assert one["found"] >= 0.6
        assert one["found"] + one["lost"] >= 0.9, "few find another"
        assert one["sent_away"] >= 0.5
        assert one["tested"] == 30
    assert len(Registry(Project(project)).attached(CONTENT)) == 2


def test_the_command_explains_a_decision(learned, project, hatrack):
    text = "fish bird river fish tree bird 5"
    ran = hatrack("route", text, "--json", project=project)
    decision = json.loads(ran.out)
    assert (decision["adapter"], decision["rule"]) == ("beasts", "content")
    shown = hatrack("route", text, project=project).out
    assert "beasts@1.0.0" in shown
    assert "chosen" in shown
    assert "needed" in shown
    named = hatrack("route", "anything", "--model", "colours", project=project).out
    assert "by explicit: the request names it" in named


def test_learning_one_adapter_shows_a_table(learned, project, hatrack):
    ran = hatrack("route", "beasts", "--learn", project=project)
    assert ran.code == 0, ran
    assert "beasts@1.0.0" in ran.out
    assert "colours" not in ran.out


def test_foreign_texts_of_ones_own_count(project, hatrack, tiny_encoder, tmp_path):
    from hatrack.workflows.route_content import _foreign

    (tmp_path / "foreign.txt").write_text("one\n\ntwo\n")
    texts = _foreign(RoutingSettings(foreign="foreign.txt"), tmp_path)
    assert texts[-2:] == ["one", "two"]
    assert len(texts) > 150
    with pytest.raises(DataFileError, match="foreign"):
        _foreign(RoutingSettings(foreign="missing.txt"), tmp_path)
