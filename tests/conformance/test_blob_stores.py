"""What every blob store promises; a new one is tested here by being in the table."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import URL

from hatrack.core.errors import AdapterBroken
from hatrack.registry.blobs.base import BLOB_STORES, open_blobs
from hatrack.registry.place import Place
from shared_places import bucket, s3_address, spoil_object


@pytest.fixture(params=BLOB_STORES.names())
def place(request, tmp_path):
    """Where a store of each kind is, and how to write past it."""
    address = {"folder": lambda: str(tmp_path / "blobs"), "s3": lambda: f"s3://{bucket()}/some/prefix"}[request.param]()
    return Place(URL.create("sqlite"), address, tmp_path / "cache", True, s3_address() if request.param == "s3" else None)


@pytest.fixture
def store(place):
    return open_blobs(place)


def spoil(place, digest, content):
    """Other bytes under a blob's name, or none at all."""
    if not place.blobs.startswith("s3://"):
        path = Path(place.blobs) / digest[:2] / digest
        path.unlink() if content is None else path.write_bytes(content)
        return
    spoil_object(place.blobs, digest, content)


def file_of(tmp_path, content, name="file"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b"some bytes", os.urandom(12_000_000)], ids=["nothing", "some", "12 MB"])
def test_bytes_come_back_under_their_digest(store, tmp_path, content):
    digest = store.put(file_of(tmp_path, content))
    assert digest == hashlib.sha256(content).hexdigest()
    assert store.has(digest)
    assert b"".join(store.content(digest)) == content
    assert store.local(digest).read_bytes() == content


def test_the_same_bytes_are_there_once_and_listed_with_size_and_time(store, tmp_path):
    digests = {store.put(file_of(tmp_path, content)) for content in (b"one", b"one", b"three")}
    found = {blob.digest: blob for blob in store.all()}
    assert set(found) == digests
    assert sorted(blob.size for blob in found.values()) == [3, 5]
    assert all(abs(time.time() - blob.written) < 60 for blob in found.values())


def test_what_is_not_there_is_said_to_be_missing(store):
    assert not store.has("a" * 64)
    for ask in (store.local, lambda digest: list(store.content(digest))):
        with pytest.raises(AdapterBroken, match="missing") as refused:
            ask("a" * 64)
        assert "aa/" + "a" * 64 in refused.value.given


def test_what_is_removed_is_gone_and_what_is_not_there_is_passed_over(store, tmp_path):
    kept, gone = store.put(file_of(tmp_path, b"kept")), store.put(file_of(tmp_path, b"gone"))
    store.remove([gone, "b" * 64])
    assert [blob.digest for blob in store.all()] == [kept]
    assert not store.has(gone)


def test_a_damaged_blob_is_replaced_when_the_bytes_are_put_again(store, place, tmp_path):
    source = file_of(tmp_path, b"the true bytes")
    digest = store.put(source)
    for wrong in (b"the fake bytes", b"short"):
        spoil(place, digest, wrong)
        assert b"".join(store.content(digest)) == wrong
        store.put(source)
        assert store.local(digest).read_bytes() == b"the true bytes"


def test_a_store_elsewhere_never_hands_out_other_bytes(place, tmp_path):
    if "://" not in place.blobs:
        pytest.skip("a folder on this machine is checked by whoever reads it")
    store = open_blobs(place)
    digest = store.put(file_of(tmp_path, b"the true bytes"))
    spoil(place, digest, b"the fake bytes")
    with pytest.raises(AdapterBroken, match="other bytes"):
        store.local(digest)
    assert not [path for path in place.cache.rglob("*") if path.is_file()]
    spoil(place, digest, b"the true bytes")
    copy = store.local(digest)
    copy.write_bytes(b"damaged here")
    assert store.local(digest).read_bytes() == b"the true bytes"
    spoil(place, digest, None)
    assert store.local(digest).read_bytes() == b"the true bytes"  # the copy is whole, the bucket is not asked
