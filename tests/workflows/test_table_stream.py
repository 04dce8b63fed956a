"""`hatrack table stream`: a planted shift is flagged and overcome, the champion is not touched, and evidence decides on the new version."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from hatrack.cli.main import main
from hatrack.core.project import Project
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry
from hatrack.serving.tables import stored_table
from hatrack.tabular.fitting.streaming.recovery import world_changes
from hatrack.tabular.fitting.streaming.replay import Drift
from made_tables import table_project, write_csv

SHIFT = 900  # row of the stream at which the first number begins to count the other way round


def world(rows, seed, *, shift=None, first_day=0):
    rng = random.Random(seed)
    found = []
    for number in range(rows):
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        sign = -1 if shift is not None and number >= shift else 1
        chance = 1 / (1 + np.exp(-(2.5 * sign * a + 1.5 * b)))
        day = first_day + number
        found.append(
            {"when": day, "a": round(a, 4), "b": round(b, 4), "card": rng.choice("xyz"), "late": "yes" if rng.random() < chance else "no"}
        )
    return found


SPLIT = {"by": "time", "column": "when", "folds": 3}
FEATURES = [{"name": "seen", "make": "window", "by": "card", "time": "when", "take": "count", "days": 30}]


def project(root, model="xgboost", **keys):
    made = table_project(root, world(800, 1), model=model, split=SPLIT, features=FEATURES, **keys)
    write_csv(made / "new.csv", random.Random(0).sample(rows := world(2600, 2, shift=SHIFT, first_day=800), len(rows)))
    with pytest.raises(SystemExit) as ended:
        main(["table", "train", "loans", "--project", str(made)])
    assert not ended.value.code
    return made


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    """A project with a champion, after a stream whose rows stand in any order in the file."""
    from conftest import Ran

    root = project(tmp_path_factory.mktemp("stream") / "project")
    promote(Registry(Project(root)), "loans", override="a test")
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        main(["table", "stream", "loans", str(root / "new.csv"), "--compare-full", "--json", "--project", str(root)])
    return root, Ran(int(ended.value.code or 0), said.getvalue(), "")


def by_name(found, beginning):
    return next(one for one in found["figures"] if one["name"].startswith(beginning))


def test_the_shift_is_flagged_and_recovered_from_within_900_rows(streamed):
    found = json.loads(streamed[1].out)
    assert found["rows"] == 2080
    assert found["test_rows"] == 520
    (change, *_) = found["changes"]
    root = streamed[0]
    lines = (root / "new.csv").read_text().splitlines()
    day = [int(lines[row - 1].split(",")[0]) - 800 for row in (change["row"], change["flagged_at_row"])]
    assert SHIFT <= day[1] <= SHIFT + 200  # rows are named by their number in the file, and taken by time
    assert abs(day[0] - SHIFT) <= 200  # ADWIN keeps rows in buckets, so it knows only about when
    assert change["recovered_after_rows"] is not None
    assert change["recovered_after_rows"] < 900
    assert found["takeovers"]


def test_learning_beats_the_version_as_it_is_and_retraining_on_everything(streamed):
    found = json.loads(streamed[1].out)
    learning = by_name(found, "learning")
    (loss,) = [gain for gain in learning["gains"] if gain["metric"] == "log_loss"]
    assert loss["interval"]["high"] < 0
    full = by_name(found, "retrained")
    assert learning["log_loss"]["value"] < full["log_loss"]["value"]
    assert min(learning["seconds"], full["seconds"]) > 0  # told; which is less is decided by whatever else a machine does in these seconds


def test_the_champion_still_serves_and_the_new_version_has_evidence_against_it(streamed):
    root, ran = streamed
    found = json.loads(ran.out)
    registry = Registry(Project(root))
    assert registry.resolve("loans").version == "1.0.0"
    new = registry.resolve("loans@latest")
    assert new.version == found["manifest"]["version"] == "1.1.0"
    assert new.parents == (registry.resolve("loans").digest,)
    report = registry.report(new)
    assert [system.name for system in report.systems] == ["adapter", "constant", "plain", "loans@1.0.0"]
    assert report.passed, report.reasons
    assert report.comparison("roc_auc", "loans@1.0.0").interval.low > 0
    promote(registry, "loans@1.1.0")


def test_the_new_version_predicts_and_explains_like_any_other(streamed, hatrack):
    root, _ = streamed
    _, model = stored_table(Registry(Project(root)), "loans@1.1.0")
    assert model.card.settings["learned_on"] == "loans@1.0.0"
    row = {"when": 4000, "a": 2.0, "b": 0.0, "card": "x"}
    found = model.predict(model.table([row], [{"when": 3990, "card": "x"}]))
    assert found.probabilities[0, 1] < 0.4  # in the new world a large first number speaks against
    write_csv(root / "one.csv", [row])
    assert hatrack("table", "explain", "loans@1.1.0", str(root / "one.csv"), project=root).code == 0


def test_what_is_shown(hatrack, tmp_path):
    root = project(tmp_path / "project", model="linear")
    ran = hatrack("table", "stream", "loans", str(root / "new.csv"), project=root)
    assert ran.code == 0, ran
    for words in ("drift flagged; the world changed at about row", "loans@1.0.0, as it is", "learning (partial-fit)", "ROC AUC"):
        assert words in ran.out
    assert "loans has no champion, so loans alone now means 1.1.0" in ran.out


def test_nothing_is_registered_where_it_cannot_or_shall_not(hatrack, tmp_path):
    root = project(tmp_path / "project")
    rows = ("table", "stream", "loans", str(root / "new.csv"))
    river = hatrack(*rows, "--learner", "river", project=root)
    assert "its state is Python objects" in river.out
    assert "river cannot go on from a model of kind xgboost" in river.err
    assert "as asked" in hatrack(*rows, "--no-register", project=root).out
    assert [one.version for one in Registry(Project(root)).versions("loans")] == ["1.0.0"]


def test_flags_before_the_recovery_are_about_the_same_change():
    losses = np.r_[np.full(500, 0.3), np.full(200, 2.0), np.full(400, 0.3), np.full(100, 2.0)]
    found = world_changes([Drift(520, 500), Drift(600, 560), Drift(1150, 1100)], losses, 100)
    assert [(change.since, change.recovered) for change in found] == [(500, 299), (1100, None)]
