"""Every method is a folder of the same shape, so that whoever knows one finds their way in all."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from pydantic import BaseModel

from hatrack.training.methods.base import METHODS, Traits

ROOM = Path(inspect.getfile(Traits)).parent


@pytest.mark.parametrize("name", METHODS.names())
def test_a_method_is_a_folder_with_its_class_its_traits_and_its_options(name):
    method = METHODS.get(name)
    folder = ROOM / name.replace("+", "_plus").replace("-", "_")
    assert Path(inspect.getfile(method)) == folder / "method.py"
    assert Path(inspect.getfile(method.options)) == folder / "options.py"
    assert (folder / "__init__.py").read_text(encoding="utf-8").count("\n") == 1
    own = vars(method)
    assert own["name"] == name
    assert isinstance(own["traits"], Traits)
    assert issubclass(own["options"], BaseModel)
    method.options()  # every key has a default
    assert all(0 < method().learning_rate(kind) < 1 for kind in method.traits.kinds)


def test_every_folder_beside_them_is_a_method():
    folders = {path.parent.name for path in ROOM.glob("*/__init__.py")}
    assert folders == {name.replace("+", "_plus").replace("-", "_") for name in METHODS.names()}
