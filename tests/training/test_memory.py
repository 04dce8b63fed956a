from __future__ import annotations

import gc
import mmap
import resource
import subprocess
import sys

from hatrack.training import memory
from hatrack.training.memory import available_memory, forget_peak, peak_memory, settled_heap, used_memory


def test_a_peak_is_seen_and_can_be_forgotten():
    forget_peak()
    before = peak_memory()
    block = mmap.mmap(-1, 200_000_000)
    for page in range(0, len(block), mmap.PAGESIZE):
        block[page] = 1
    block.close()
    assert peak_memory() - before > 190_000_000
    forget_peak()
    assert peak_memory() - before < 50_000_000


def test_used_memory_is_that_of_this_process():
    assert 20_000_000 < used_memory() <= peak_memory() + 5_000_000


def test_a_limit_of_the_process_counts():
    code = (
        "import resource; from hatrack.training.memory import available_memory;"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 50_000_000,) * 2); print(available_memory())"
    )
    left = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 40_000_000 < left <= 51_000_000


def test_a_control_group_counts_and_its_idle_file_pages_are_free(tmp_path, monkeypatch):
    for name, text in (("memory.max", "1000"), ("memory.current", "700"), ("memory.stat", "anon 1\ninactive_file 150\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    assert available_memory() == 450
    (tmp_path / "memory.max").write_text("max")
    assert available_memory() > 10_000_000


def test_an_old_control_group_counts(tmp_path, monkeypatch):
    (tmp_path / "memory").mkdir()
    for name, text in (("memory.limit_in_bytes", "1000"), ("memory.usage_in_bytes", "400"), ("memory.stat", "total_inactive_file 0\n")):
        (tmp_path / "memory" / name).write_text(text)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    assert available_memory() == 600


def test_without_these_files_the_largest_figure_since_the_start_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "none")
    assert peak_memory() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    forget_peak()
    assert used_memory() == peak_memory()


def test_the_heap_lies_still_inside_the_block_and_as_before_behind_it():
    gc.unfreeze()
    with settled_heap():
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0
    gc.freeze()  # as a server at its start, or these tests
    with settled_heap():
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() > 10_000
