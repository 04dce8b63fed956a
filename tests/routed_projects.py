"""Registered adapters for routing: versions without weights that matter, and an embedder whose vectors are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from hatrack.answering.content import ContentIndex
from hatrack.answering.route import Router
from hatrack.core.config_file import parse_config
from hatrack.core.names import BASE
from hatrack.core.project import Project
from hatrack.models.content import CONTENT, ContentFigures, ContentProfile
from hatrack.registry.store import Registry
from made_versions import added

SUBJECTS = ("contract", "card", "fever", "tax")


class SubjectEmbedder:
    """One direction for each subject that a text names, and one for everything else."""

    fingerprint = "subjects"

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        rows = [[float(text.lower().count(word)) for word in SUBJECTS] for text in texts]
        vectors = np.array([[*row, 0.2 if any(row) else 1.0] for row in rows], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def learn(registry, manifest, subject, folder, *, threshold=0.5, embedder="subjects"):
    """Give a version a profile: one centroid, in the direction of a subject."""
    centroid = np.eye(len(SUBJECTS) + 1, dtype=np.float32)[[SUBJECTS.index(subject)]]
    path = Path(folder) / f"{manifest.digest[:8]}-{subject}"
    ContentProfile(centroid, ContentFigures(embedder, threshold, 1.0, 10, 1.0, 10)).save(path)
    registry.attach(manifest, CONTENT, path)


def config_of(routes, **routing):
    adapters = {name: {"data": "d.jsonl", "task": "instruct", "route": route} for name, route in routes.items()}
    return parse_config(yaml.safe_dump({"adapters": adapters, "routing": routing}))


def router_of(root, routes, *, learned=(), unregistered=(), **routing):
    """A router over adapters of these names, registered but for some; ``learned``: name to subject."""
    registry = Registry(Project(root))
    for name in routes.keys() - set(unregistered):
        manifest = added(registry, root / name, weights=name, name=name)
        if name in learned:
            learn(registry, manifest, learned[name], root)
    config, embed = config_of(routes, **routing), SubjectEmbedder()
    resolve = lambda reference: None if reference == BASE else registry.resolve(reference)  # noqa: E731
    router = Router(config, resolve, ContentIndex(registry, lambda: embed, config.routing.threshold))
    return router, registry, embed
