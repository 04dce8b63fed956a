"""Jobs are real processes whose end, output and interruption are known, also to a studio that is started later."""

from __future__ import annotations

import json
import signal
import time

import pytest

from conftest import label_rows
from hatrack.api.errors import Refusal
from hatrack.core.errors import RunInUse
from hatrack.core.project import Project
from hatrack.studio.jobs import Job, Jobs
from hatrack.studio.runs import find_run, runs
from studio_server import ended

LONG = {"epochs": 4000, "batch_size": 4, "patience": 4000}


@pytest.fixture
def project(make_project):
    return Project(make_project(rows=label_rows(60), train=LONG))


@pytest.fixture
def jobs(project):
    made = Jobs(project)
    yield made
    made.close()


def until_trained(project, job):
    """Wait until the job has made its first steps, and a checkpoint to go on from."""
    end = time.monotonic() + 60
    while not ((run := find_run(project, job.adapter, job.started)) and run.best is not None):
        assert time.monotonic() < end
        time.sleep(0.05)
    return run


def test_what_a_command_says_and_how_it_ends_is_kept(jobs, project):
    done = ended(jobs, jobs.start("List", ("versions",)))
    assert (done.state, done.code, done.line) == ("done", 0, "hatrack versions")
    assert jobs.output(done) != ("", "")
    refused = ended(jobs, jobs.start("Train nobody", ("train", "nobody")))
    assert refused.state == "refused"
    assert "there is no adapter" in jobs.output(refused)[1] or "no adapter called 'nobody'" in jobs.output(refused)[1]
    assert [job.id for job in Jobs(project).all()] == [2, 1], "another studio finds them"
    with pytest.raises(Refusal, match="no such job"):
        jobs.get(3)


def test_one_works_at_a_time_and_is_ended_by_a_button_with_what_it_needs_to_go_on(jobs, project):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what shall run in the background
    try:
        job = jobs.start("Train", ("train", "first"), "first")
    finally:
        signal.signal(signal.SIGINT, before)
    assert until_trained(project, job).adapter == "first"
    with pytest.raises(RunInUse, match="another job is at work"):
        jobs.start("Again", ("train", "first"), "first")
    elsewhere = Jobs(project)
    assert elsewhere.running() == job, "a studio that was started later sees it"
    elsewhere.cancel(job)
    assert ended(jobs, job).state == "stopped"
    assert "goes on where it was" in jobs.output(job)[1]
    steps = runs(project)[0].last["step"]
    again = jobs.start("Train", ("train", "first"), "first")
    end = time.monotonic() + 60
    while runs(project)[0].last["step"] <= steps:
        assert time.monotonic() < end
        time.sleep(0.05)
    jobs.close()
    assert jobs.get(again.id).state == "stopped", "it ends with the studio"
    first = json.loads((project.runs / runs(project)[0].key / "events.jsonl").read_text().split("\n")[0])
    assert first["step"] <= steps < runs(project)[0].last["step"], "it went on"


def test_one_that_nobody_saw_end_is_lost_and_no_other_process_of_its_number_is_taken_for_it(jobs, project):
    gone = ended(jobs, jobs.start("List", ("versions",)))
    for pid in (gone.pid, 1):
        path = project.state / "studio" / "jobs" / "00001" / "job.json"
        path.write_text(Job(**{**gone.model_dump(), "ended": None, "code": None, "pid": pid}).model_dump_json())
        assert Jobs(project).get(1).state == "lost"
        assert Jobs(project).running() is None
    path.write_text("{half")
    assert Jobs(project).all() == []


def test_the_end_of_a_long_output_is_shown_from_the_beginning_of_a_line(jobs, project):
    job = ended(jobs, jobs.start("List", ("versions",)))
    (project.state / "studio" / "jobs" / "00001" / "out").write_text("step 1\rstep 2\n" * 9000 + "the end\n")
    shown = jobs.output(job)[0].split("\n")
    assert (shown[0], shown[-1]) == ("step 2", "the end")
    assert len(shown) < 4000
