from __future__ import annotations

import os
import sys
import types

import pytest

from hatrack.core.errors import MissingExtra
from hatrack.training.trackers import tracking
from tiny_training import open_pieces, train


def test_tensorboard_follows_a_run(make_project):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = train(make_project("classify-by-text", train={"report_to": ["tensorboard"]})).run
    found = accumulator.EventAccumulator(str(run / "tensorboard"))
    found.Reload()
    assert {"train/loss", "train/learning_rate", "train/grad_norm", "train/tokens_per_second", "eval/loss"} <= set(found.Tags()["scalars"])
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ


def test_two_adapters_of_one_command_are_two_runs_of_mlflow(make_project):
    mlflow = pytest.importorskip("mlflow")
    runs = [train(make_project("classify", folder=name, train={"report_to": ["mlflow"]})).run for name in ("one", "two")]
    for run in runs:
        client = mlflow.MlflowClient(f"sqlite:///{run / 'mlflow.db'}")
        [experiment] = [e for e in client.search_experiments() if e.name == "hatrack"]
        [found] = client.search_runs([experiment.experiment_id])
        assert found.info.status == "FINISHED"
        assert {"loss", "eval_loss", "learning_rate", "tokens_per_second"} <= set(found.data.metrics)
        assert len(client.get_metric_history(found.info.run_id, "eval_loss")) == 2  # one for each epoch


def test_two_adapters_of_one_command_are_two_offline_runs_of_wandb(make_project):
    pytest.importorskip("wandb")
    for name in ("one", "two"):
        run = train(make_project("classify", folder=name, train={"report_to": ["wandb"]})).run
        [log] = run.glob("wandb/offline-run-*/*.wandb")
        content = log.read_bytes()
        assert b"train/loss" in content, "not closed: what was logged lies in memory"
        assert b"eval/loss" in content


def test_a_run_that_fails_is_closed_as_failed_and_one_of_the_caller_stays_open(tmp_path, monkeypatch):
    class Tracker(types.ModuleType):
        run, ended = None, []

        def finish(self, code):
            self.ended.append(code)
            self.run = None

        def teardown(self):
            assert self.run is None

    wandb = Tracker("wandb")
    monkeypatch.setitem(sys.modules, "wandb", wandb)

    def fail():
        with tracking(["wandb"], tmp_path):
            wandb.run = wandb.run or "opened by the callback"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert wandb.ended == [1]
    wandb.run = "the caller's"
    with pytest.raises(RuntimeError):
        fail()
    assert wandb.ended == [1]
    assert wandb.run == "the caller's"


def test_a_tracker_that_is_not_installed_is_one_message(make_project, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match="report_to: wandb needs the package wandb") as missing:
        train(make_project("classify-by-text", train={"report_to": ["wandb"]}))
    assert missing.value.fix == 'pip install "hatrack[trackers]"'


def test_F17_trackers_stay_on_this_machine_unless_the_environment_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "the company's")
    with tracking(["json"], tmp_path):
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
        assert os.environ["WANDB_MODE"] == "offline"
        assert os.environ["WANDB_DIR"] == str(tmp_path)
        assert os.environ["MLFLOW_TRACKING_URI"] == "the company's"
    assert "WANDB_MODE" not in os.environ
    assert os.environ["MLFLOW_TRACKING_URI"] == "the company's"


def test_no_tracker_touches_no_environment(tmp_path):
    before = dict(os.environ)
    with tracking([], tmp_path):
        assert dict(os.environ) == before


def test_who_follows_a_run_changes_no_digest(make_project):
    from hatrack.training.run import behaviour

    one, other = (
        open_pieces(make_project("classify-by-text", folder=name, train={"report_to": to, "memory_gb": gb})).config
        for name, to, gb in (("a", [], None), ("b", ["tensorboard"], 9.0))
    )
    assert behaviour(one, ["x"], 1.0, {}) == behaviour(other, ["x"], 1.0, {})
