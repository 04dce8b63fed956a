"""How several processes end before their time: one says why, none waits for ever, and the run goes on where it was."""

from __future__ import annotations

import signal
import time

from hatrack.training.checkpoint import latest_sealed
from launched import end_at, together
from tiny_training import events_of, run_folder, train_and_register

RUN = {"epochs": 2, "batch_size": 8, "patience": 1000}  # 6 steps an epoch


def spoken(ran):
    return "".join(process.err for process in ran)


def test_a_fault_that_all_meet_is_said_once(make_project, tmp_path):
    ran = together(tmp_path / "said", "train", project=make_project(train={"batch_size": 7}))
    assert [process.code for process in ran] == [2, 2]
    assert spoken(ran).count("cannot be divided evenly between 2 processes") == 1
    assert "allowed: 1, 7 processes" in spoken(ran)
    assert "Traceback" not in spoken(ran)


def test_a_fault_that_only_the_main_process_meets_ends_all(make_project, tmp_path):
    ran = together(tmp_path / "said", "train", project=make_project(data="dat.jsonl"))
    assert [process.code for process in ran] == [2, 2]
    assert spoken(ran).count("did you mean data.jsonl?") == 1
    assert "has ended" not in spoken(ran), "the main process has said why"
    assert "Traceback" not in spoken(ran)


def test_machines_that_do_not_share_the_project_are_refused(make_project, tmp_path):
    for rank in (0, 1):
        make_project(folder=f"project{rank}")
    ran = together(tmp_path / "said", "train", project=tmp_path / "project{rank}")
    assert [process.code for process in ran] == [2, 2]
    assert spoken(ran).count("1 of 2 processes cannot see") == 1
    assert not list(tmp_path.rglob(".together-*"))


def test_other_commands_are_refused(make_project, tmp_path):
    ran = together(tmp_path / "said", "eval", "first", project=make_project())
    assert [process.code for process in ran] == [2, 2]
    assert spoken(ran).count("hatrack eval works in one process") == 1


def poison(rank):
    """The training loss of process 1 is not a number from the third step on."""
    from hatrack.training.objectives.classify import EncoderTrainee

    real, seen = EncoderTrainee.loss_sum, []

    def loss_sum(self, batch):
        seen.extend([1] * (self.training and len(batch["labels"]) > 3))
        return real(self, batch) * (float("nan") if len(seen) > 12 else 1)

    if rank == 1:
        EncoderTrainee.loss_sum = loss_sum


def test_a_loss_that_is_no_number_on_one_process_ends_all(make_project, tmp_path):
    ran = together(tmp_path / "said", "train", project=make_project(train=RUN), cue=poison)
    assert [process.code for process in ran] == [2, 2]
    assert "Error in process 1 of 2: the training loss became nan" in ran[1].err
    assert "Traceback" not in spoken(ran)
    assert "has ended" not in spoken(ran)


def die(rank):
    end_at(9, rank, signal.SIGKILL)


def ask_to_end(rank):
    end_at(9, rank, signal.SIGTERM)


def test_a_process_that_is_killed_ends_all_and_the_run_goes_on(make_project, tmp_path):
    whole, torn = (make_project(train=RUN, dropout=0.1, folder=folder) for folder in ("whole", "torn"))
    began = time.monotonic()
    ran = together(tmp_path / "said", "train", project=torn, cue=die)
    assert [process.code for process in ran] == [2, -signal.SIGKILL]
    assert ran[0].err.count("Error in process 0 of 2: another of the 2 processes has ended") == 1
    assert "Traceback" not in ran[0].err
    assert time.monotonic() - began < 60
    run = run_folder(torn)
    assert latest_sealed(run).name == "checkpoint-6"
    seen = len(events_of(run))

    ran = together(tmp_path / "again", "train", project=torn)
    assert [process.code for process in ran] == [0, 0], ran
    assert events_of(run)[seen]["step"] > 6, "began anew"
    together(tmp_path / "whole-said", "train", project=whole)
    assert digest(torn) == digest(whole), "killed and resumed is as if never interrupted (F12)"


def test_F12_all_end_after_the_same_step_whichever_is_asked(make_project, tmp_path):
    project = make_project(train={**RUN, "base_dropout": "off"})
    ran = together(tmp_path / "said", "train", project=project, cue=ask_to_end)
    assert [process.code for process in ran] == [130, 130], ran
    assert spoken(ran).count("goes on where it was when the same command is run again") == 1
    run = run_folder(project)
    assert latest_sealed(run).name == "checkpoint-9"
    # another number of processes trains the same steps, so it can go on from there
    seen = len(events_of(run))
    assert train_and_register(project).training["steps"] == 12
    assert events_of(run)[seen]["step"] > 9


def digest(project):
    from hatrack.core.project import Project
    from hatrack.registry.store import Registry

    return Registry(Project(project)).resolve("first@latest").digest
