"""Places of a registry that cannot be ones: refused before anything is asked."""

from __future__ import annotations

import sys

import pytest

from hatrack.core.errors import ConfigError, MissingExtra
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from shared_places import write_config


def test_without_the_client_of_s3_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    root = write_config(tmp_path, database="sqlite:///team.db", blobs="s3://bucket")
    with pytest.raises(MissingExtra, match="blobs in a bucket"):
        Registry(Project(root))


@pytest.mark.parametrize(
    ("registry", "says"),
    [
        ({"database": "postgresql://db/team"}, "blobs that they reach too"),
        ({"database": "postgresql://me:secret@db/team", "blobs": "s3://bucket"}, "PGPASSWORD"),
        ({"database": "mysql://db/team"}, "postgresql://"),
        ({"database": "sqlite://team.db"}, "sqlite:///FILE"),
        ({"blobs": "gs://bucket"}, "s3://BUCKET/PREFIX"),
        ({"endpoint": "s3.example.com"}, "https://s3.example.com"),
        ({"remotes": {"team": {"blobs": "s3://bucket"}}}, "needs a database"),
        ({"databse": "sqlite:///x"}, "did you mean database?"),
    ],
)
def test_a_place_that_cannot_be_one_is_refused_in_the_config(tmp_path, registry, says):
    with pytest.raises(ConfigError, match="fault") as refused:
        Registry(Project(write_config(tmp_path, **registry)))
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)
