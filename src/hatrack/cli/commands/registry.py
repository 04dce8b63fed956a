"""``hatrack registry``: where versions are kept, who did what to them, and how they get elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hatrack.cli.screen import JsonOption, ProjectOption, print_json, progress_console, result_console

if TYPE_CHECKING:
    from hatrack.registry.store import Registry

References = Annotated[list[str] | None, typer.Argument(help="NAME (all its versions) or NAME@VERSION, several if you like; none: all.")]
WhyOption = Annotated[str, typer.Option(help="The reason; it is kept in the log.")]


def show(project: ProjectOption = Path("."), json: JsonOption = False) -> None:
    from hatrack.cli.registries import facts

    found = facts(_opened(project))
    if json:
        print_json(found)
        return
    for name, value in found.items():
        typer.echo(f"{name:<9} {value}")


def log(
    name: Annotated[str | None, typer.Argument(help="One adapter or table; none: everything.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Newest lines to show.")] = 50,
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from hatrack.cli.registries import log_table

    events = _opened(project).log(name, limit)
    if json:
        print_json([asdict(event) for event in events])
        return
    result_console().print(log_table(events) if events else "Nothing has been written down yet.")


def push(
    references: References = None,
    to: Annotated[str | None, typer.Option(help="A registry of registry.remotes; default: the only one.")] = None,
    why: WhyOption = "",
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    _move(_opened(project), _remote(project, to), references or [], "pushed from", why, json)


def pull(
    references: References = None,
    source: Annotated[str | None, typer.Option("--from", help="A registry of registry.remotes; default: the only one.")] = None,
    why: WhyOption = "",
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    _move(_remote(project, source), _opened(project), references or [], "pulled from", why, json)


def verify(project: ProjectOption = Path("."), json: JsonOption = False) -> None:
    from dataclasses import asdict

    from rich.progress import Progress

    from hatrack.cli.registries import fault_table
    from hatrack.registry.care import verify as check

    registry = _opened(project)
    with Progress(console=progress_console(), transient=True) as bar:
        task = bar.add_task("hashing", total=None)
        found = check(registry, lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        print_json(asdict(found))
    else:
        result_console().print(
            f"{found.versions} versions, {found.blobs} files, {found.size:,} bytes; {found.unnamed} files that no version names"
        )
        result_console().print(fault_table(found.faults) if found.faults else "every file is what it was recorded as")
    if found.faults:
        raise typer.Exit(1)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
    grace: Annotated[float, typer.Option(min=0, help="Hours: younger files are left, a registration may be about to name them.")] = 24,
    why: WhyOption = "",
    project: ProjectOption = Path("."),
    json: JsonOption = False,
) -> None:
    from hatrack.registry.care import collect

    registry = _opened(project)
    found = collect(registry, grace * 3600, dry_run=dry_run, why=why)
    if json:
        removed = [{"digest": blob.digest, "bytes": blob.size} for blob in found.removed]
        print_json({"dry_run": dry_run, "bytes": found.size, "young": found.young, "removed": removed})
        return
    if dry_run:
        for blob in found.removed:
            typer.echo(f"{blob.size:>14,} {registry.blobs.where(blob.digest)}")
    done = "would be removed" if dry_run else "removed"
    young = f"; {found.young} younger than {grace:g} h are left" if found.young else ""
    result_console().print(f"{len(found.removed)} files that no version names {done}, {found.size:,} bytes{young}")


def delete(
    reference: Annotated[str, typer.Argument(help="NAME@VERSION.")],
    why: WhyOption = "",
    project: ProjectOption = Path("."),
) -> None:
    from hatrack.core.errors import AdapterNotFound
    from hatrack.registry.care import delete_version

    if "@" not in reference:
        raise AdapterNotFound("say which version is to be deleted", given=reference, allowed="NAME@VERSION")
    manifest = delete_version(_opened(project), reference, why)
    result_console().print(f"{manifest.name}@{manifest.version} is deleted; its files go with the next `hatrack registry gc`")


def upgrade(
    remote: Annotated[str | None, typer.Option(help="A registry of registry.remotes instead of this project's own.")] = None,
    project: ProjectOption = Path("."),
) -> None:
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.registry.database import Database
    from hatrack.registry.migrate import CURRENT
    from hatrack.registry.migrate import upgrade as bring_up
    from hatrack.registry.place import own_place, remote_place

    read_config(project)
    at = Project(project.absolute())
    place = remote_place(at, remote) if remote else own_place(at)
    if place.file is not None:
        place.file.parent.mkdir(parents=True, exist_ok=True)
    before, backup = bring_up(Database(place))
    if before == CURRENT:
        result_console().print(f"{place.shown} is up to date (revision {CURRENT})")
        return
    made = f"upgraded from revision {before} to {CURRENT}" if before else f"set up (revision {CURRENT})"
    result_console().print(f"{place.shown} is {made}" + (f"; the file before is {backup}" if backup else ""))


def export(
    reference: Annotated[str, typer.Argument(help="NAME (its champion, else its newest version) or NAME@VERSION.")],
    to: Annotated[str, typer.Option(help="Kind of registry: mlflow or oci.")],
    out: Annotated[str, typer.Option(help="oci: a folder, default NAME-oci. mlflow: its address, default MLFLOW_TRACKING_URI.")] = "",
    project: ProjectOption = Path("."),
) -> None:
    from hatrack.registry.exporters.base import VERSION_EXPORTS

    registry = _opened(project)
    made = VERSION_EXPORTS.get(to)().export(registry, registry.resolve(reference), out)
    typer.echo(made)


PARTS = {
    "show": (show, "Say where the registry is and what it holds."),
    "log": (log, "Show who did what, when and why."),
    "push": (push, "Bring versions into a shared registry."),
    "pull": (pull, "Fetch versions from a shared registry."),
    "verify": (verify, "Hash every file again; exit code 1 if one is not what it was."),
    "gc": (gc, "Remove files that no version names."),
    "delete": (delete, "Take a version out; its number is never used again."),
    "upgrade": (upgrade, "Set up a shared registry, or bring an older one up to date."),
    "export": (export, "Write a version to MLflow or as an OCI image layout."),
}


def _opened(project: Path) -> Registry:
    from hatrack.core.config_file import read_config
    from hatrack.core.project import Project
    from hatrack.registry.store import Registry

    read_config(project)
    return Registry(Project(project.absolute()))


def _remote(project: Path, name: str | None) -> Registry:
    from hatrack.core.project import Project
    from hatrack.registry.place import remote_place
    from hatrack.registry.store import Registry

    at = Project(project.absolute())
    return Registry(at, remote_place(at, name))


def _move(source: Registry, target: Registry, references: list[str], done: str, why: str, json: bool) -> None:
    from hatrack.cli.registries import moved_as_dict, moved_line
    from hatrack.registry.exchange import chosen, copy_version

    reason = f"{done} {source.place.shown}" + (f": {why.strip()}" if why.strip() else "")
    moved = []
    for manifest in chosen(source, references):
        moved.append(copy_version(source, target, manifest, reason))
        if not json:
            result_console().print(moved_line(moved[-1]))
    if json:
        print_json([moved_as_dict(one) for one in moved])
    elif not moved:
        result_console().print(f"{source.place.shown} holds no version")
