"""Content profiles: kept with a version, read again when something changed, left out when they cannot be trusted."""

import logging

import numpy as np
import pytest

from hatrack.answering.content import ContentIndex
from hatrack.answering.decision import Wanted
from hatrack.core.errors import AdapterBroken
from hatrack.core.project import Project
from hatrack.models.content import CONTENT, ContentProfile
from hatrack.registry.store import Registry
from made_versions import added
from routed_projects import SubjectEmbedder, learn


@pytest.fixture
def registry(tmp_path):
    return Registry(Project(tmp_path))


def test_what_is_learned_while_a_server_runs_counts_at_once(registry, tmp_path):
    index = ContentIndex(registry, SubjectEmbedder)
    assert index.scores("card", Wanted()) == ()
    manifest = added(registry, tmp_path / "a", name="finance")
    learn(registry, manifest, "card", tmp_path)
    assert [score.adapter for score in index.scores("card", Wanted())] == ["finance"]
    learn(registry, manifest, "tax", tmp_path)
    assert not index.scores("card", Wanted())[0].accepted, "the newest profile of a version counts"


def test_a_new_version_uses_what_the_one_before_has_learned(registry, tmp_path):
    learn(registry, added(registry, tmp_path / "a", weights="1", name="finance"), "card", tmp_path)
    added(registry, tmp_path / "b", weights="2", name="finance")
    index = ContentIndex(registry, SubjectEmbedder)
    assert index.scores("card", Wanted())[0].accepted
    learn(registry, registry.resolve("finance"), "tax", tmp_path)
    assert not index.scores("card", Wanted())[0].accepted, "its own comes first"


def test_another_embedder_or_damage_leaves_an_adapter_out_with_a_warning(registry, tmp_path, caplog):
    learn(registry, added(registry, tmp_path / "a", weights="1", name="finance"), "card", tmp_path, embedder="another")
    learn(registry, added(registry, tmp_path / "b", weights="2", name="legal"), "contract", tmp_path)
    path = registry.attached(CONTENT)[registry.resolve("legal").digest]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(AdapterBroken):
        ContentProfile.load(path)
    with caplog.at_level(logging.WARNING):
        assert ContentIndex(registry, SubjectEmbedder).scores("card", Wanted()) == ()
    assert "another embedder" in caplog.text
    assert "hatrack route --learn" in caplog.text


def test_one_threshold_for_all_replaces_the_learned_ones(registry, tmp_path):
    learn(registry, added(registry, tmp_path / "a", name="finance"), "card", tmp_path, threshold=0.999)
    assert not ContentIndex(registry, SubjectEmbedder).scores("card", Wanted())[0].accepted
    assert ContentIndex(registry, SubjectEmbedder, 0.5).scores("card", Wanted())[0].accepted


def test_a_text_is_embedded_once_and_none_is_where_nothing_was_learned(registry, tmp_path):
    embed = SubjectEmbedder()
    index = ContentIndex(registry, lambda: embed)
    index.scores("card", Wanted())
    assert embed.asked == []
    learn(registry, added(registry, tmp_path / "a", name="finance"), "card", tmp_path)
    assert index.scores("card", Wanted()) == index.scores("card", Wanted())
    assert embed.asked == ["card"]


def test_a_profile_comes_back_as_it_was(tmp_path, registry):
    manifest = added(registry, tmp_path / "a", name="finance")
    learn(registry, manifest, "fever", tmp_path, threshold=0.25)
    profile = ContentProfile.load(registry.attached(CONTENT)[manifest.digest])
    assert profile.figures.threshold == 0.25
    assert np.array_equal(profile.centroids, np.eye(5, dtype=np.float32)[[2]])
