"""One table for each kind of plug-in: lazy, helpful about typing errors, closed to name theft."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hatrack.core.errors import ConfigError
from hatrack.core.plugins import Plugins


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    """A package as pip leaves it: a module and the metadata that names its entry points."""
    (folder / "foreign_colours.py").write_text("class Blue:\n    pass\n")
    info = folder / "foreign_colours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-colours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hatrack.colour]\n{entry}\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_built_in_is_imported_only_when_it_is_asked_for():
    sys.modules.pop("colorsys", None)
    plugins = Plugins("colour", {"red": "colorsys:rgb_to_hls", "green": "no.such.module:Green"})
    assert plugins.names() == ["green", "red"]
    assert "colorsys" not in sys.modules
    assert plugins.get("red").__name__ == "rgb_to_hls"
    assert "colorsys" in sys.modules


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(ConfigError, match="there is no colour called 'gren'") as refused:
        Plugins("colour", {"green": "colorsys:x", "red": "colorsys:y"}).get("gren")
    assert "did you mean green?" in str(refused.value)
    assert "green, red" in str(refused.value)


def test_an_installed_package_adds_its_own_by_entry_point(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "blue = foreign_colours:Blue")
    plugins = Plugins("colour", {"red": "colorsys:rgb_to_hls"})
    assert plugins.names() == ["blue", "red"]
    assert "foreign_colours" not in sys.modules
    assert plugins.get("blue").__name__ == "Blue"
    del sys.modules["foreign_colours"]


def test_an_installed_package_cannot_take_a_built_in_name(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "red = foreign_colours:Blue")
    with pytest.raises(ConfigError, match="two colour plug-ins are called red") as refused:
        Plugins("colour", {"red": "colorsys:rgb_to_hls"}).get("red")
    assert "foreign_colours:Blue" in str(refused.value)
