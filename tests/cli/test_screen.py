"""What is printed stands on the screen as it is: a path, a label or a row with [brackets] is no markup."""

from __future__ import annotations

import re
from pathlib import Path

from rich.table import Table

from hatrack.cli.screen import progress_console, result_console
from hatrack.core.aside import aside

SOURCE = Path(__file__).resolve().parents[2] / "src" / "hatrack"
AWKWARD = "data [v2]/[bold]x[/bold]/[/] :smile:"


def test_results_and_what_is_said_beside_them_keep_brackets(capsys):
    table = Table(title=AWKWARD)
    table.add_column(AWKWARD)
    table.add_row(AWKWARD)
    result_console().print(table)
    progress_console().print(AWKWARD)
    aside(progress_console())(AWKWARD)
    shown = capsys.readouterr()
    assert shown.out.count(AWKWARD) == 3
    assert shown.err == f"{AWKWARD}\n{AWKWARD}\n"


def test_no_text_is_written_in_markup_that_nothing_reads():
    tag = re.compile(r"\[/?(dim|bold|red|green|yellow|cyan|italic)( \w+)?\]|\[/\]|\[/\{")
    found = [f"{path.relative_to(SOURCE)}: {line.strip()}" for path in SOURCE.rglob("*.py") for line in path.open() if tag.search(line)]
    assert found == []
