from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.console import Console
from safetensors import SafetensorError

from hatrack.core.errors import StorageError, TrainingError
from hatrack.core.run_folder import SETTINGS, read_settings
from hatrack.training import weights as weights_module
from hatrack.training.checkpoint import latest_sealed
from hatrack.training.progress import LiveBar
from tiny_training import events_of, open_pieces, run_folder, train, train_and_register

SHORT = {"epochs": 2, "batch_size": 8, "evals_per_epoch": 2}
LONG = {"epochs": 3, "batch_size": 8, "evals_per_epoch": 2, "patience": 9}  # 18 steps, a checkpoint after every third


def test_a_finished_run_is_found_again_and_not_trained_again(make_project):
    project = make_project("classify-by-text", train=SHORT)
    first = train_and_register(project)
    events = (run_folder(project) / "events.jsonl").read_bytes()
    pieces, console = open_pieces(project), Console(record=True, width=200)
    trained = pieces.train(console)
    assert "finished already" in console.export_text()
    assert trained.statistics == first.training
    assert (run_folder(project) / "events.jsonl").read_bytes() == events
    again = train_and_register(project)
    assert (again.version, again.digest) == (first.version, first.digest)


@pytest.fixture(scope="module")
def known():
    """Names of runs that were seen."""
    return set()


@pytest.mark.parametrize("change", [{"train": {**SHORT, "learning_rate": 0.01}}, {"r": 2}, {"rows": 55}, {"system": "Be brief."}])
def test_other_inputs_are_another_run(make_project, known, change):
    from conftest import label_rows

    rows = label_rows(change.pop("rows", 60))
    keys = {"train": SHORT, "system": None, **change}
    if not known:
        known.add(train(make_project("classify-by-text", folder="known", train=SHORT)).run.name)
    other = train(make_project("classify-by-text", rows, **keys)).run.name
    assert other not in known
    known.add(other)


def test_the_task_must_fit_the_base(make_project, tiny_causal, tiny_encoder):
    with pytest.raises(TrainingError, match="classify needs an encoder") as refused:
        train(make_project("classify", base=tiny_causal))
    assert "is a causal language model" in refused.value.given
    assert refused.value.allowed == "on a causal language model: classify-by-text, complete, instruct, prefer"
    assert refused.value.fix == "set task: classify-by-text, or choose another base"
    with pytest.raises(TrainingError, match="needs a base that generates text") as refused:
        train(make_project("classify-by-text", base=tiny_encoder))
    assert "is an encoder" in refused.value.given
    assert refused.value.allowed == "on an encoder: classify"
    assert refused.value.fix == "set task: classify, or choose another base"


def test_a_base_that_does_not_fit_leaves_no_run_behind(make_project, tiny_causal):
    project = make_project("classify", base=tiny_causal)
    with pytest.raises(TrainingError):
        train(project)
    assert run_folder(project) is None


def test_runs_that_cannot_be_written_are_a_storage_error(make_project, monkeypatch):
    # as root, permissions say nothing; so the system's refusal is made up
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    pieces = open_pieces(make_project("classify-by-text"))
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match="may not be written") as refused:
        pieces.train()
    assert str(pieces.runs) in refused.value.given


def test_a_file_in_the_way_of_the_runs_is_a_storage_error(make_project):
    pieces = open_pieces(make_project("classify-by-text"))
    pieces.runs.parent.mkdir(exist_ok=True)
    pieces.runs.write_text("in the way")
    with pytest.raises(StorageError, match="in the way"):
        pieces.train()


@pytest.fixture
def full_at(monkeypatch):
    """From a step on, one file of a checkpoint goes to a device that is always full."""

    def arm(name, step):
        if not Path("/dev/full").is_char_device():
            pytest.skip("no /dev/full here")

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == step:
                folder = Path(args.output_dir) / f"checkpoint-{step}"
                folder.mkdir()
                (folder / name).symlink_to("/dev/full")

        monkeypatch.setattr(LiveBar, "on_step_end", on_step_end)
        # torch's own error does not say that the disk is full; the free space does
        usage = shutil.disk_usage("/")._replace(free=0)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

    return arm


@pytest.fixture(scope="module")
def undisturbed():
    """The digest of a run that nothing happened to."""
    return []


@pytest.mark.parametrize("name", ["optimizer.pt", "trainer_state.json"])
def test_a_disk_that_fills_up_while_a_checkpoint_is_written(make_project, full_at, monkeypatch, undisturbed, drawn, name):
    step = drawn.randrange(3, 19, 3)
    if not undisturbed:
        undisturbed.append(train_and_register(make_project("classify-by-text", folder="whole", train=LONG)).digest)
    project = make_project("classify-by-text", folder="full", train=LONG)
    full_at(name, step)
    with pytest.raises(StorageError, match="the disk is full"):
        train(project)
    monkeypatch.undo()
    run = run_folder(project)
    assert (run / f"checkpoint-{step}").is_dir()
    assert latest_sealed(run) == (run / f"checkpoint-{step - 3}" if step > 3 else None)
    seen = len(events_of(run))
    assert [train_and_register(project).digest] == undisturbed, f"full at step {step}"
    assert events_of(run)[seen]["step"] == step - 2


def test_a_disk_that_is_full_when_weights_are_written_is_one_message(make_project, hatrack, monkeypatch):
    def refuse(*args, **kwargs):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(weights_module, "save_file", refuse)
    ran = hatrack("train", project=make_project("classify-by-text", train=SHORT))
    assert ran.code == 2
    assert "the disk is full" in ran.err
    assert "Traceback" not in ran.err


def test_two_processes_cannot_be_at_one_run(make_project):
    import subprocess
    import sys

    project = make_project("classify", train=SHORT)
    run = train(project).run
    shutil.rmtree(run / "adapter")
    lock = run.with_name(f".{run.name}.lock")
    holder = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", holder, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match="another process is training this very run"):
            train(project)
        other.stdin.close()
    assert train(project).run == run


def test_what_a_kill_at_the_very_end_left_behind_is_tidied(make_project):
    project = make_project("classify", train=SHORT)
    run = train(project).run
    (run / "loss.png").unlink()
    for name in ("checkpoint-7", ".staging-x"):
        (run / name).mkdir()
    train(project)
    assert sorted(path.name for path in run.iterdir()) == ["adapter", "events.jsonl", "loss.png", "report.html", "settings.json"]


def test_a_run_keeps_what_it_was_trained_with_with_all_defaults_written_out(make_project):
    run = train(make_project("classify", train=SHORT)).run
    kept = read_settings(run)
    assert (kept["method"], kept["options"]["r"], kept["train"]["epochs"]) == ("lora", 4, SHORT["epochs"])
    assert kept["train"]["learning_rate"] > 0
    assert (kept["base"], kept["data"]["files"], sum(kept["data"]["rows"].values())) == ("tiny-bert", ["data.jsonl"], 60)
    (run / SETTINGS).write_text("{half")
    assert read_settings(run) == {}


def test_F06_another_chat_template_is_another_run(make_project, tmp_path):
    from conftest import CHATML, make_causal

    base = make_causal(tmp_path / "base")
    one = train(make_project("classify-by-text", base=base, train=SHORT))
    template = base / "chat_template.jinja"
    assert template.read_text() == CHATML
    template.write_text(CHATML.replace("\n", " "))
    assert train(make_project("classify-by-text", base=base, train=SHORT)).run != one.run
