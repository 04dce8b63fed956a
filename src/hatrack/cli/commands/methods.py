"""``hatrack methods``."""

from __future__ import annotations

from hatrack.cli.screen import JsonOption, print_json, result_console


def run(json: JsonOption = False) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from hatrack.training.methods.base import METHODS

    methods = [METHODS.get(name)() for name in METHODS.names()]
    if json:
        print_json([{"name": m.name, **asdict(m.traits), "options": m.options.model_json_schema()["properties"]} for m in methods])
        return
    table = Table()
    for heading in ("method", "what it is", "mergeable", "mixable in a batch", "4-bit base", "options"):
        table.add_column(heading)
    for method in methods:
        traits = method.traits
        yes = ["yes" if value else "no" for value in (traits.mergeable, traits.mixable, traits.four_bit)]
        options = ", ".join(f"{key}={field.default}" for key, field in method.options.model_fields.items())
        table.add_row(method.name, traits.summary, *yes, options)
    result_console().print(table)
