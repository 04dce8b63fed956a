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
    ours = parsed(train={"epochs": 2, "batch_size": 4, "schedule": "constant", "seed": 5, "max_length": 128})
    assert theirs == ours


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
