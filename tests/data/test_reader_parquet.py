"""Parquet: rows of any shape, in batches; damage is one clear refusal."""

from __future__ import annotations

import pytest

from hatrack.core.errors import DataFileError
from hatrack.data.readers import parquet as reader
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault
from made_files import make_parquet


@pytest.fixture
def read(tmp_path):
    def rows(content: bytes, **keys):
        path = tmp_path / "rows.parquet"
        path.write_bytes(content)
        return list(open_rows(path, layout_name="columns", **keys))

    return rows


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
def test_rows_are_numbered_over_batches_and_row_groups(read, compression):
    rows = [{"text": f"t {i}\u2028", "n": i} for i in range(1000)]
    assert read(make_parquet(rows, row_group_size=300, compression=compression)) == [RawRow(i, row) for i, row in enumerate(rows, 1)]


def test_cells_may_hold_lists_of_structures(read):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    assert read(make_parquet([{"messages": turns}]))[0].columns == {"messages": turns}


def test_a_row_that_is_too_large_is_a_fault_among_others(read):
    rows = read(make_parquet([{"text": "a"}, {"text": "b" * 5000}, {"text": "c"}]), max_row_bytes=1000)
    assert rows == [RawRow(1, {"text": "a"}), RowFault(2, "longer than 1,000 bytes (checks.max_row_bytes)"), RawRow(3, {"text": "c"})]


@pytest.mark.parametrize("cut", [slice(0, 100), slice(0, -30), slice(20, None)])
def test_half_a_file_is_refused(read, cut):
    with pytest.raises(DataFileError, match="this Parquet file is damaged"):
        read(b"PAR1" + make_parquet([{"text": "a" * 500}] * 50)[cut])


def test_a_row_group_that_unpacks_to_too_much_is_refused_before_it_is_read(read, monkeypatch):
    monkeypatch.setattr(reader, "_MOST_BYTES", 10_000)
    with pytest.raises(DataFileError, match="a row group of this Parquet file is too large") as refused:
        read(make_parquet([{"text": f"{i}" * 500} for i in range(100)]))
    assert "10,000 bytes" in refused.value.allowed


def test_two_columns_of_one_name_are_refused(read):
    import io

    import pyarrow
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(pyarrow.table([["a"], ["b"]], names=["text", "text"]), stream)
    with pytest.raises(DataFileError, match="two columns of this file have the same name"):
        read(stream.getvalue())
