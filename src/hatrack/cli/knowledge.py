"""What ``hatrack kb`` shows: progress, what became of documents, passages and the reasons for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from hatrack.rag.metadata import shown_metadata

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from hatrack.core.config_knowledge import SearchMode, SearchSettings
    from hatrack.rag.catalog import DocumentRow
    from hatrack.rag.ingest import IngestReport
    from hatrack.rag.judge import Judgement
    from hatrack.rag.records import Chunk, Document, Passage

__all__ = [
    "added_as_dict",
    "document_table",
    "explain_table",
    "ingest_bar",
    "judgement_table",
    "preview_table",
    "show_added",
    "show_passages",
]

_SHOWN = 20  # documents left out, or listed, before "and so many more"
_EXCERPT = 400  # characters of a passage on the screen


@contextlib.contextmanager
def ingest_bar(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    """A bar over the bytes of the files; nothing where there is no screen."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name[-40:] or "done")


def added_as_dict(collection: str, path: Path, report: IngestReport) -> dict[str, Any]:
    """For programs."""
    return {
        "collection": collection,
        "path": str(path),
        **{key: getattr(report, key) for key in ("added", "changed", "unchanged", "removed", "chunks")},
        "personal_data": dict(report.personal),
        "left_out": [{"source": one.source, "reason": one.reason} for one in report.left_out],
    }


def show_added(results: Console, notes: Console, reports: Sequence[tuple[str, Path, IngestReport]]) -> None:
    """What became of the documents, and why some were left out."""
    table = Table()
    for heading in ("collection", "from"):
        table.add_column(heading)
    for heading in ("added", "changed", "unchanged", "removed", "left out", "chunks"):
        table.add_column(heading, justify="right")
    for name, path, report in reports:
        counts = (report.added, report.changed, report.unchanged, report.removed, len(report.left_out), report.chunks)
        table.add_row(name, str(path), *(f"{count:,}" for count in counts))
    results.print(table)
    for _, _, report in reports:
        for one in report.left_out[:_SHOWN]:
            notes.print(f"left out: {one.source}: {one.reason}", style="yellow")
        if len(report.left_out) > _SHOWN:
            notes.print(f"... and {len(report.left_out) - _SHOWN} more; --json lists them all", style="yellow")
        if report.personal:
            found = ", ".join(f"{count} {name}" for name, count in report.personal.most_common())
            notes.print(f"personal data: {found}; see knowledge.pii", style="yellow")


def document_table(name: str, rows: Sequence[DocumentRow]) -> Table:
    """The documents of a collection."""
    title = f"{name}: {len(rows):,} documents, {sum(row.chunks for row in rows):,} chunks"
    table = Table(title=title, title_justify="left")
    for heading in ("source", "title", "metadata"):
        table.add_column(heading)
    table.add_column("chunks", justify="right")
    for row in rows[:_SHOWN]:
        table.add_row(row.source, row.title[:60], _said(row.metadata), str(row.chunks))
    if len(rows) > _SHOWN:
        table.add_row(f"... and {len(rows) - _SHOWN:,} more; --json lists them all", "", "", "")
    return table


def preview_table(document: Document, chunks: Sequence[Chunk], passages: Sequence[str], tokenizer: Tokenizer | None) -> Table:
    """A document as it would be cut."""
    read = f", read in {len(passages)} passages" if passages else ""
    table = Table(title=f"{document.source}: {len(chunks)} chunks{read}", title_justify="left", show_lines=True)
    table.add_column("")
    table.add_column("tokens", justify="right")
    table.add_column("text")
    for number, chunk in enumerate(chunks, 1):
        tokens = len(tokenizer.encode(chunk.searched).ids) if tokenizer else -(-len(chunk.searched) // 4)
        head = (f"{chunk.head}\n", "dim") if chunk.head else ""
        table.add_row(str(number), str(tokens), Text.assemble(head, chunk.text))
    return table


def show_passages(console: Console, passages: Sequence[Passage]) -> None:
    """Numbered passages with where they come from."""
    if not passages:
        console.print("nothing was found")
    for number, one in enumerate(passages, 1):
        console.print(Text.assemble((f"{number}  {one.source}", "bold"), f"  {one.title}  ", (_said(one.metadata), "dim")))
        text = " ".join(one.text.split())
        console.print(f"   {text[:_EXCERPT]}{'...' if len(text) > _EXCERPT else ''}")


def explain_table(passages: Sequence[Passage], settings: SearchSettings, mode: SearchMode | None) -> Table:
    """Why each passage stands where it stands."""
    rule = f"1 / ({settings.rank_constant:g} + rank)"
    table = Table(
        title=f"{mode or settings.mode}: {settings.dense_weight:g} · {rule} by meaning + {1 - settings.dense_weight:g} · {rule} by words"
        if (mode or settings.mode) == "hybrid"
        else f"{mode or settings.mode}: {rule}",
        title_justify="left",
    )
    table.add_column("source")
    read_again = settings.reranker is not None
    for heading in ("score", "by meaning", "cosine", "by words", "BM25", *(["read again"] if read_again else [])):
        table.add_column(heading, justify="right")
    for one in passages:
        table.add_row(
            one.source,
            f"{one.score:.4f}",
            f"#{one.dense_rank}" if one.dense_rank else "-",
            f"{one.similarity:.3f}",
            f"#{one.word_rank}" if one.word_rank else "-",
            f"{one.word_score:.2f}" if one.word_score is not None else "-",
            *([f"{one.rerank_score:.2f}" if one.rerank_score is not None else "-"] if read_again else []),
        )
    return table


def judgement_table(found: Mapping[str, Judgement]) -> Table:
    """The ways of finding, side by side."""
    questions = next(iter(found.values())).questions
    table = Table(title=f"{questions:,} questions", title_justify="left")
    table.add_column("")
    for heading in ("nDCG@10", "recall@5", "recall@10", "MRR@10", "p50 ms", "p95 ms"):
        table.add_column(heading, justify="right")
    for mode, one in found.items():
        figures = (one.ndcg_at_10, one.recall_at_5, one.recall_at_10, one.mrr_at_10)
        table.add_row(mode, *(f"{figure:.3f}" for figure in figures), f"{one.p50_ms:.1f}", f"{one.p95_ms:.1f}")
    return table


def _said(metadata: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in shown_metadata(metadata).items() if name != "source")
