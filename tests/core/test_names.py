"""F31: names of adapters are words, never paths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.errors import AdapterNotFound
from hatrack.core.names import closest, split_reference, valid_name


@pytest.mark.parametrize("name", ["legal", "fr-tax", "a", "0", "v1.2_x", "a" * 64])
def test_plain_words_are_names(name):
    assert valid_name(name)


@pytest.mark.parametrize("name", ["", "Legal", ".hidden", "-x", "a/b", "..", "a\n", "a b", "é", "a" * 65, "a\x00", "a\\b"])
def test_F31_what_could_be_a_path_is_no_name(name):
    assert not valid_name(name)


@settings(deadline=None)
@given(st.text())
def test_F31_no_valid_name_leaves_its_folder(name):
    if valid_name(name):
        assert "/" not in name
        assert "\\" not in name
        assert name not in (".", "..")


def test_a_reference_is_a_name_and_maybe_a_version():
    assert split_reference("legal") == ("legal", "")
    assert split_reference("legal@1.2.0") == ("legal", "1.2.0")
    assert split_reference("legal@champion") == ("legal", "champion")


@pytest.mark.parametrize("reference", ["../legal", "legal@../x", "", "@1", "legal@1@2", "/etc/passwd"])
def test_F31_a_reference_that_is_no_name_is_not_found(reference):
    with pytest.raises(AdapterNotFound, match="cannot be the name"):
        split_reference(reference)


def test_the_closest_known_word_comes_first():
    assert closest("legl", ["medical", "legal", "lego"])[0] == "legal"
    assert closest("zzz", ["legal"]) == []
