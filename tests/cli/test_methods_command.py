"""``hatrack methods``: a table that fits the screen, and the same as data."""

from __future__ import annotations

import json

import pytest

from hatrack.cli.commands.methods import _table
from hatrack.models.loading import open_base
from hatrack.training.footprint import footprints
from hatrack.training.methods.base import METHODS


def test_methods_are_listed_for_the_projects_base(hatrack, make_project):
    ran = hatrack("methods", project=make_project("classify"))
    assert ran.code == 0
    assert "tiny-bert" in ran.out
    assert all(f" {name} " in ran.out for name in METHODS.names())
    assert next(line for line in ran.out.splitlines() if "llama-adapter" in line).split()[1] == "-", "not for an encoder"


def test_json_holds_figures_traits_and_options(hatrack, make_project):
    found = json.loads(hatrack("methods", "--json", project=make_project("classify-by-text")).out)
    lora = next(one for one in found if one["name"] == "lora")
    assert [one["name"] for one in found] == METHODS.names()
    assert lora["trained"] > 1000
    assert lora["memory"] > lora["trained"]
    assert lora["mixable"] is True
    assert lora["kinds"] == ["causal", "encoder"]
    assert lora["options"]["r"]["default"] == 16


def test_another_base_can_be_asked_about(hatrack, make_project, tiny_causal):
    ran = hatrack("methods", "--base", str(tiny_causal), project=make_project("classify"))
    assert "tiny-llama" in ran.out


def test_without_any_base_the_traits_are_listed(hatrack, tmp_path, monkeypatch):
    from hatrack.core.errors import ModelNotFound

    def nothing(*arguments, **keys):
        raise ModelNotFound("there is no such model")

    monkeypatch.setattr("hatrack.models.loading.resolve", nothing)
    ran = hatrack("methods", project=tmp_path)
    assert ran.code == 0
    assert "no figures: there is no such model" in ran.err
    assert all(f" {name} " in ran.out for name in METHODS.names())
    assert hatrack("methods", "--base", "nowhere", project=tmp_path).code == 2


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_breaks_no_word(tiny_causal, tmp_path, width):
    from rich.console import Console

    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115  # closed with the process
    console.print(_table(footprints(open_base(str(tiny_causal), cache=tmp_path)), "on a base", width))
    text = console.export_text()
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "llama-adapter" in text
