"""One text for one value, and SHA-256 of it."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatrack.core.digest import canonical_json, sha256_file, sha256_json, sha256_text, short

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_canonical_json_reads_back_as_the_same_value(value):
    assert json.loads(canonical_json(value)) == value


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_count(value):
    assert sha256_json(dict(reversed(value.items()))) == sha256_json(value)


def test_another_value_has_another_digest():
    assert sha256_json({"a": 1}) != sha256_json({"a": 2})
    assert sha256_json(["ab", "c"]) != sha256_json(["a", "bc"])


def test_nan_is_refused_since_it_equals_nothing():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_text_is_hashed_as_utf8_even_with_half_a_surrogate_pair():
    assert sha256_text("é") == hashlib.sha256("é".encode()).hexdigest()
    assert sha256_text("\ud800") != sha256_text("\ud801")


def test_the_short_form_is_the_beginning():
    assert short(sha256_text("x")) == sha256_text("x")[:12]
