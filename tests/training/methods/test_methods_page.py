"""``docs/methods.md`` says of every method what its code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatrack.models.adapters.base import FORMS
from hatrack.training.methods.base import METHODS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "methods.md").read_text(encoding="utf-8")


def row(name: str) -> str:
    """The method's line of the page's first table."""
    method = METHODS.get(name)()
    traits = method.traits
    rates = " / ".join(f"{method.learning_rate(kind):g}" if kind in traits.kinds else "-" for kind in ("causal", "encoder"))
    yes = ["yes" if value else "-" for value in (traits.mergeable, traits.mixable, traits.four_bit)]
    return f"| `{name}` | {traits.summary} | {rates} | {' | '.join(yes)} |"


@pytest.mark.parametrize("name", METHODS.names())
def test_the_table_holds_the_defaults_and_traits_of_the_code(name):
    assert row(name) in PAGE


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_has_a_paragraph_that_names_its_source(name):
    start = PAGE.index(f"**`{name}`**")
    paragraph = PAGE[start : PAGE.index("\n\n", start)]
    assert "arXiv" in paragraph or name in ("last-n", "full", "ptuning")


@pytest.mark.parametrize("name", FORMS.names())
def test_every_form_is_in_the_table_of_forms(name):
    assert f"`{name}`" in PAGE.split("| form | adapters |")[1].split("\n\n")[0]
