"""What every approach promises; a new one is tested here by being in the table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest

from compared_projects import compared_project, problem_of
from hatrack.workflows.bakeoff.base import APPROACHES, Family, Traits
from hosted_project import MODEL, colour_in
from provider_server import KEY, provider_server

every_approach = pytest.mark.parametrize("name", APPROACHES.names())


@pytest.fixture(scope="module")
def problem(tmp_path_factory, tiny_causal, tiny_encoder):
    """A task with labels on a causal base, an encoder beside it, and a provider that knows the answers."""
    with provider_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        server.say, server.models = colour_in, {MODEL}
        provider = {"model": MODEL, "base_url": server.base_url, "personal_data": "send"}
        root = tmp_path_factory.mktemp("approaches") / "project"
        yield problem_of(compared_project(root, tiny_causal, tiny_encoder, 40, provider=provider))


@every_approach
def test_an_approach_says_what_it_is(name):
    approach = APPROACHES.get(name)()
    assert approach.name == name
    assert isinstance(approach.traits, Traits)
    assert approach.traits.family in get_args(Family)
    assert approach.traits.summary


@every_approach
def test_an_approach_answers_every_row_the_same_way_again(name, problem):
    problem, test = problem
    approach = APPROACHES.get(name)()
    assert approach.obstacle(problem) == ""
    json.dumps(approach.identity(problem))  # it is part of a key
    unseen = [replace(row, label="") for row in test[:4]]  # what is right is not there to be looked at
    solver = approach.fit(problem)
    answers = solver.answer(unseen)
    assert len(answers) == 4
    assert all(isinstance(answer, str) for answer in answers)
    assert solver.answer(unseen) == answers
    assert solver.parameters >= 0
    assert solver.nbytes >= 0
    assert (solver.parameters > 0) == (approach.traits.family in ("encoder", "adapter") or name in LEARNERS)


LEARNERS = ("tfidf-logreg", "tfidf-xgboost", "embeddings-logreg")


@every_approach
def test_an_approach_knows_what_it_cannot_do(name, problem):
    problem, _ = problem
    free = replace(problem, prepared=replace(problem.prepared, labels=()), provider=None)
    obstacle = APPROACHES.get(name)().obstacle(free)
    labels_alone = ("majority", "zero-shot-scored", "few-shot-scored", *LEARNERS)
    assert bool(obstacle) == (name in labels_alone or name.startswith("encoder-") or name == "hosted")
    bare = replace(problem, base=problem.encoder)
    if name.startswith(("zero-shot", "few-shot")):
        assert "generates no text" in APPROACHES.get(name)().obstacle(bare)
