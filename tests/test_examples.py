"""The files under examples/ are what their tools accept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "examples" / "accelerate").glob("*.yaml"))


def test_there_are_configs():
    assert {path.stem for path in FILES} >= {"ddp", "fsdp", "deepspeed", "multi-node"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_accelerate_reads_the_config_and_would_start_so_many_processes(path):
    config = load_config_from_file(str(path))
    command = ["--config_file", str(path), "-m", "hatrack", "train"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(command))
    assert arguments.num_processes == config.num_processes > 1
    assert arguments.num_machines == config.num_machines
    assert (arguments.use_fsdp, arguments.use_deepspeed) == (path.stem == "fsdp", path.stem == "deepspeed")
    assert arguments.training_script == "hatrack"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_page_beside_the_configs_names_each(path):
    assert f"`{path.name}`" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_every_file_that_the_pages_name_is_there():
    for page in (ROOT / "docs" / "distributed.md", ROOT / "examples" / "accelerate" / "README.md"):
        for name in re.findall(r"examples/accelerate/([a-z-]+\.yaml)", page.read_text(encoding="utf-8")):
            assert (ROOT / "examples" / "accelerate" / name).is_file(), f"{page.name} names {name}"
