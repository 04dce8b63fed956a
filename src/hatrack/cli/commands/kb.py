"""``hatrack kb``: each part opens the project's knowledge base, does one thing, and closes it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hatrack.cli.filters import read_filter
from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.rag.knowledge import KnowledgeBase
    from hatrack.rag.records import Passage
    from hatrack.rag.retrieve import Query, Retriever

CollectionOption = Annotated[str | None, typer.Option("--collection", "-c", help="The collection; default: the first of the config.")]
SearchedOption = Annotated[
    list[str] | None, typer.Option("--collection", "-c", help="A collection to look in; may be repeated. Default: all.")
]
FilterOption = Annotated[str | None, typer.Option("--filter", help='Only documents with these metadata, as JSON: {"country": "FR"}.')]
ModeOption = Annotated[Literal["hybrid", "dense", "words"] | None, typer.Option(help="Find by meaning, by words, or by both.")]


def add(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders; none: the sources of the config.")] = None,
    collection: CollectionOption = None,
    metadata: Annotated[list[str] | None, typer.Option("--set", help="Metadata of each document, NAME=VALUE; may be repeated.")] = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.knowledge import added_as_dict, ingest_bar, show_added
    from hatrack.core.errors import ConfigError
    from hatrack.rag.ingest import Ingest

    with _opened(project) as kb:
        known = kb.settings.collections
        work: list[tuple[str, Path]] = [(kb.known(collection or next(iter(known))), path) for path in paths or ()]
        if not paths:
            chosen = [kb.known(collection)] if collection else list(known)
            work = [(name, kb.project.root / source) for name in chosen for source in known[name].sources]
        if not work:
            raise ConfigError(
                "there is nothing to add",
                given="no path, and no collection in hatrack.yaml has sources",
                allowed="files and folders",
                fix="hatrack kb add PATH, or write knowledge: {collections: {main: {sources: FOLDER}}}",
            )
        reports = []
        for name, path in work:
            with ingest_bar(progress_console()) as progress:
                reports.append((name, path, Ingest(kb, name, _pairs(metadata or []), progress).add(path)))
        for name in dict.fromkeys(name for name, _ in work):
            kb.store.prepare(name)
        if json:
            print_json([added_as_dict(*one) for one in reports])
            return
        show_added(result_console(), progress_console(), reports)


def remove(
    sources: Annotated[list[str], typer.Argument(help="Documents as `hatrack kb list` names them, or files with all their documents.")],
    collection: CollectionOption = None,
    project: ProjectOption = Path("."),
) -> None:
    from hatrack.core.errors import KnowledgeError
    from hatrack.core.names import closest
    from hatrack.rag.ingest import Ingest

    with _opened(project) as kb:
        name = kb.known(collection or next(iter(kb.settings.collections)))
        count = Ingest(kb, name).remove(sources)
        if not count:
            near = closest(sources[0], (row.source for row in kb.catalog.documents(name)), 1)
            raise KnowledgeError(
                f"the collection {name} has no such document",
                given=", ".join(sources),
                fix=f"did you mean {near[0]}?" if near else "run `hatrack kb list` to see which there are",
            )
        result_console().print(f"{count} document{'s' if count > 1 else ''} removed from {name}")


def list_(
    collection: CollectionOption = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.cli.knowledge import document_table
    from hatrack.rag.metadata import shown_metadata

    with _opened(project) as kb:
        names = [kb.known(collection)] if collection else list(kb.settings.collections)
        if json:
            rows = [(name, row) for name in names for row in kb.catalog.documents(name)]
            print_json(
                [
                    {"collection": n, "source": r.source, "title": r.title, "chunks": r.chunks, "metadata": shown_metadata(r.metadata)}
                    for n, r in rows
                ]
            )
            return
        for name in names:
            result_console().print(document_table(name, list(kb.catalog.documents(name))))


def preview(
    path: Annotated[Path, typer.Argument(help="A file; nothing is kept.")],
    collection: CollectionOption = None,
    documents: Annotated[int, typer.Option(min=1, help="Documents that are shown.")] = 3,
    project: ProjectOption = Path("."),
) -> None:
    from itertools import islice

    from hatrack.cli.knowledge import preview_table
    from hatrack.rag.chunk import Chunker
    from hatrack.rag.intake import LeftOut, documents_of, files_below

    with _opened(project) as kb:
        name = kb.known(collection or next(iter(kb.settings.collections)))
        metadata = dict(kb.settings.collections[name].metadata)
        chunker = Chunker(kb.settings.chunks, kb.embedder.tokenizer, kb.embedder.max_tokens)
        found = (one for file in files_below(path.absolute(), kb.project.root) for one in documents_of(file, metadata, 10_000_000))
        for one in islice(found, documents):
            if isinstance(one, LeftOut):
                progress_console().print(f"left out: {one.source}: {one.reason}", style="yellow")
            else:
                result_console().print(preview_table(one, *chunker.cut(one), kb.embedder.tokenizer))


def search(
    question: Annotated[str, typer.Argument(help="What to look for.")],
    collection: SearchedOption = None,
    where: FilterOption = None,
    as_of: Annotated[str | None, typer.Option(help="Only documents that are valid on this day, as 2024-01-31.")] = None,
    mode: ModeOption = None,
    k: Annotated[int | None, typer.Option("-k", min=1, help="Passages to find; default: knowledge.search.k.")] = None,
    adapter: Annotated[
        str | None, typer.Option(help="Look as this adapter does: its collections, filter and k, and its rewriting of the question.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show why each passage stands where it stands, and the query it was looked for by.")
    ] = False,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from hatrack.cli.knowledge import explain_table, show_passages
    from hatrack.rag.metadata import shown_metadata
    from hatrack.rag.retrieve import Query, Retriever

    with _opened(project) as kb:
        query, written = Query(question, tuple(collection or ()), read_filter(where), as_of, mode, k), None
        if adapter is not None:
            from hatrack.cli.looked_for import as_adapter

            query, written = as_adapter(project, adapter, query)
        names = tuple(kb.known(name) for name in query.collections or kb.settings.collections)
        passages = Retriever(kb).search(dataclasses.replace(query, collections=names))
        if json:
            print_json([{**asdict(one), "metadata": shown_metadata(one.metadata)} for one in passages])
            return
        show_passages(result_console(), passages)
        if explain:
            if written is not None:
                said = f"rewritten by {adapter}: {written.query}" if written.query else f"not rewritten by {adapter}: {written.reason}"
                result_console().print(said)
            result_console().print(explain_table(passages, kb.settings.search, mode))


def evaluate(
    questions: Annotated[Path, typer.Argument(help='JSON lines: {"text": "...", "relevant": ["SOURCE", ...]}.')],
    collection: SearchedOption = None,
    where: FilterOption = None,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict
    from functools import partial

    from hatrack.cli.knowledge import judgement_table
    from hatrack.core.config_knowledge import SearchMode
    from hatrack.rag.judge import Judgement, judge, read_questions
    from hatrack.rag.retrieve import Query, Retriever

    asked = read_questions(questions)
    modes: tuple[SearchMode, ...] = ("hybrid", "dense", "words")
    found: dict[str, Judgement] = {}
    with _opened(project) as kb:
        names = tuple(kb.known(name) for name in collection or kb.settings.collections)
        retriever, condition = Retriever(kb), read_filter(where)
        for mode in modes:
            found[mode] = judge(asked, partial(_passages, retriever, Query("", names, condition, None, mode, 30)))
    if json:
        print_json({mode: asdict(one) for mode, one in found.items()})
        return
    result_console().print(judgement_table(found))


def clear(
    collection: CollectionOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    project: ProjectOption = Path("."),
) -> None:
    from hatrack.rag.clear import clear_collections

    with _opened(project) as kb:
        names = [kb.known(collection)] if collection else sorted({*kb.catalog.collections(), *kb.settings.collections})
        count = sum(kb.catalog.counts(name)[0] for name in names)
        if not yes:
            typer.confirm(f"Remove {count} documents from {', '.join(names)}? The files themselves stay.", abort=True)
        clear_collections(kb, names)
        result_console().print(f"{count} documents removed; next: hatrack kb add")


PARTS = {
    "add": (add, "Add documents, or bring them up to date."),
    "remove": (remove, "Take documents out."),
    "list": (list_, "List documents."),
    "preview": (preview, "Show how a file would be cut into chunks."),
    "search": (search, "Find passages, and say why."),
    "eval": (evaluate, "Measure finding: nDCG@10, recall, MRR."),
    "clear": (clear, "Remove all documents, for another embedder or store."),
}


@contextlib.contextmanager
def _opened(project: Path) -> Iterator[KnowledgeBase]:
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.rag.knowledge import KnowledgeBase

    kb = KnowledgeBase(Project(project.absolute()), read_config(project).knowledge)
    try:
        yield kb
    finally:
        kb.close()


def _passages(retriever: Retriever, query: Query, text: str) -> list[Passage]:
    return retriever.search(dataclasses.replace(query, text=text))


def _pairs(texts: list[str]) -> dict[str, str | int | float | bool]:
    """``country=FR``; values that are JSON numbers or true/false are those, everything else is text."""
    import json

    from hatrack.core.errors import ConfigError

    pairs: dict[str, str | int | float | bool] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError("metadata are a name and a value", given=f"--set {text}", allowed="NAME=VALUE, as country=FR")
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        pairs[name.strip()] = read if isinstance(read, int | float) else value
    return pairs
