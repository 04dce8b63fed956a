"""``trainer:``: the names of TrainingArguments mean keys of ``train``, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from hatrack.core.config_file import parse_config
from hatrack.core.config_train import TrainSettings
from hatrack.core.config_trainer import TRAINER_NAMES, TrainerNames
from hatrack.core.errors import ConfigError
from hatrack.training.axolotl.keys import MOVED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "axolotl.md"


def parsed(**keys):
    config = parse_config(yaml.safe_dump({"adapters": {"first": {"data": "d.jsonl", "task": "instruct", **keys}}}))
    return config.adapters["first"]


def test_both_ways_of_writing_are_the_same_config():
    theirs = parsed(
        trainer={"num_train_epochs": 2, "per_device_train_batch_size": 4, "lr_scheduler_type": "constant_with_warmup", "seed": 5},
        train={"max_length": 128},
    )
    ours = parsed(train={"epochs": 2, "batch_size": 4, "schedule": "constant", "warmup": 0.1, "seed": 5, "max_length": 128})
    assert theirs == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"warmup_steps": 0.25}, {"warmup": 0.25}),
        ({"warmup_steps": 0}, {"warmup": 0}),
        ({"report_to": "tensorboard"}, {"report_to": ["tensorboard"]}),
        ({"report_to": ["mlflow", "wandb"]}, {"report_to": ["mlflow", "wandb"]}),
        ({"report_to": "none"}, {}),
        ({"report_to": ["none"]}, {}),
        ({"report_to": None, "warmup_steps": None}, {}),
    ],
)
def test_a_value_that_is_written_in_another_way_is_the_same_config(theirs, ours):
    assert parsed(trainer=theirs) == parsed(train=ours)


@pytest.mark.parametrize(
    ("keys", "warmup"),
    [
        ({"train": {"schedule": "constant"}}, 0),
        ({"train": {"schedule": "constant", "warmup": 0.2}}, 0.2),
        ({"train": {"schedule": "linear"}}, 0.1),
        ({"trainer": {"lr_scheduler_type": "constant"}}, 0),
        ({"trainer": {"lr_scheduler_type": "constant", "warmup_ratio": 0.2}}, 0.2),
        ({"trainer": {"lr_scheduler_type": "constant_with_warmup"}}, 0.1),
        ({"trainer": {"lr_scheduler_type": "constant_with_warmup", "warmup_ratio": 0.2}}, 0.2),
        ({"trainer": {"lr_scheduler_type": "constant_with_warmup"}, "train": {"warmup": 0.3}}, 0.3),
        ({"trainer": {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 0}}, 0),
    ],
)
def test_a_constant_learning_rate_rises_only_where_that_is_asked_for(keys, warmup):
    assert parsed(**keys).train.warmup == warmup
    assert parsed(train=parsed(**keys).train.model_dump()).train == parsed(**keys).train, "written down and read again"


def test_a_share_of_warm_up_steps_is_that_of_trainings_arguments():
    from transformers import TrainingArguments

    share = parsed(trainer={"warmup_steps": 0.25}).train.warmup
    assert TrainingArguments(warmup_steps=0.25).get_warmup_steps(1000) == 1000 * share


@pytest.mark.parametrize("steps", [1, 100, 1.0])
def test_a_number_of_warm_up_steps_is_refused(steps):
    with pytest.raises(ConfigError) as refused:
        parsed(trainer={"warmup_steps": steps})
    (fault,) = refused.value.faults
    assert fault.startswith("adapters.first.trainer.warmup_steps: how many steps there are is not known here; give their share, below 1")


@pytest.mark.parametrize(
    ("trainer", "place"),
    [
        ({"report_to": "all"}, "adapters.first.train.report_to.0"),
        ({"report_to": ["comet_ml"]}, "adapters.first.train.report_to.0"),
        ({"lr_scheduler_type": ["cosine"]}, "adapters.first.train.schedule"),
        ({"bf16": True}, "adapters.first.trainer.bf16"),
        ({"optim": "adafactor"}, "adapters.first.trainer.optim"),
    ],
)
def test_what_has_no_counterpart_is_refused_at_its_place(trainer, place):
    with pytest.raises(ConfigError) as refused:
        parsed(trainer=trainer)
    assert [fault.partition(": ")[0] for fault in refused.value.faults] == [place]


def test_a_setting_that_has_two_names_there_is_said_once():
    with pytest.raises(ConfigError) as refused:
        parsed(trainer={"warmup_ratio": 0.1, "warmup_steps": 0.1})
    assert refused.value.faults == ("adapters.first: said twice: trainer.warmup_ratio and trainer.warmup_steps",)


def test_every_name_is_one_of_trainings_arguments_and_one_of_ours():
    from transformers import TrainingArguments

    names = {field.name for field in dataclasses.fields(TrainingArguments)}
    assert set(TRAINER_NAMES) == set(TrainerNames.model_fields)
    assert set(TRAINER_NAMES) - {"warmup_ratio"} <= names  # newer versions take a share as warmup_steps
    assert set(TRAINER_NAMES.values()) <= set(TrainSettings.model_fields)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError) as refused:
        parsed(trainer={"num_train_epoch": 2, "output_dir": "x"})
    assert refused.value.faults[0] == "adapters.first.trainer.num_train_epoch: unknown key; did you mean num_train_epochs?"
    assert len(refused.value.faults) == 2


def test_a_setting_that_is_said_twice_is_refused():
    with pytest.raises(ConfigError) as refused:
        parsed(trainer={"num_train_epochs": 2}, train={"epochs": 2})
    assert refused.value.faults == ("adapters.first: said twice: train.epochs and trainer.num_train_epochs",)


def test_a_value_out_of_range_is_refused_like_ours():
    with pytest.raises(ConfigError, match="1 fault"):
        parsed(trainer={"per_device_train_batch_size": 0})


@pytest.mark.parametrize("ours", [*MOVED.items(), *((name, f"train.{key}") for name, key in TRAINER_NAMES.items())], ids=lambda o: o[0])
def test_the_page_lists_every_name(ours):
    theirs, place = ours
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert any(f"`{theirs}`" in line and f"`{place}`" in line for line in lines)
