"""The whole example: make the data, train the adapter and four tables, and measure them on the same payments.

    python examples/fraud/run.py [--folder fraud-example]

The folder becomes an ordinary project: go on in it with `hatrack table predict both FILE`, `hatrack serve`, and so on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from hatrack.cli.main import main as hatrack
from hatrack.evaluation.delong import auc_difference, auc_interval
from hatrack.evaluation.statistics import bca_interval
from hatrack.tabular.metrics import METRICS, Scored
from hatrack.workflows.table_project import TableProject
from hatrack.workflows.table_report import scored

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from make_data import write  # noqa: E402 - it lies beside this file

TABLES = {
    "payments": "payments alone",
    "replies": "replies alone, read by the adapter",
    "words": "replies alone, by their words",
    "both": "payments and replies (adapter)",
}
CONFIDENCE = 0.95


def command(*arguments: str) -> None:
    """Run `hatrack ...` as a user would."""
    Console(stderr=True, highlight=False).print(f"[bold]$ hatrack {' '.join(arguments)}[/bold]")
    try:
        hatrack(list(arguments))
    except SystemExit as ended:
        if ended.code:
            sys.exit(ended.code)


def measured(root: Path, name: str) -> Scored:
    """A table's newest version on its test rows: the newest payments."""
    at = TableProject.open(root, name)
    _, model = at.stored(f"{name}@latest")
    ground, _ = at.ground(model.card.readings)
    return scored(model, ground)


def interval(low: float, high: float, digits: int = 3) -> str:
    """Its two ends, for a cell of the table."""
    return f"{low:.{digits}f} to {high:.{digits}f}"


def result(root: Path) -> Table:
    """One line for each table: AUC and cost with intervals, and the paired difference of `both` to it."""
    answers = {name: measured(root, name) for name in TABLES}
    truth, both = answers["both"].truth, answers["both"]
    cost = METRICS["cost"]
    table = Table(
        title=f"{len(truth):,} payments that are newer than all training rows, {int(truth.sum())} of them fraud", title_justify="left"
    )
    for heading in ("", "ROC AUC (95 %)", "both minus this", "cost a payment (95 %)", "both minus this "):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, words in TABLES.items():
        one = answers[name]
        if not np.array_equal(one.truth, truth):
            sys.exit(f"{name} was tested on other rows; do not change split in one table only")
        auc, around = auc_interval(truth, one.score[:, 1], CONFIDENCE)
        costs = cost.rows(one)
        spent = bca_interval(cost.total, costs, CONFIDENCE, 0)
        gain, saved = "", ""
        if name != "both":
            more, gap = auc_difference(truth, both.score[:, 1], one.score[:, 1], CONFIDENCE)
            gain = f"{more:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
            pairs = cost.rows(both) - costs
            less = bca_interval(cost.total, pairs, CONFIDENCE, 0)
            saved = f"{cost.total(pairs):+.3f} ({less.low:+.3f} to {less.high:+.3f})"
        table.add_row(
            words,
            f"{auc:.3f} ({interval(around.low, around.high)})",
            gain,
            f"{cost.total(costs):.3f} ({interval(spent.low, spent.high)})",
            saved,
        )
    return table


def main() -> None:
    """Make the data, train the three tables and print what they are worth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("fraud-example"), help="where the project is made")
    parser.add_argument("--payments", type=int, default=6000)
    parser.add_argument("--replies", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--base", default="", help="another base model than hatrack.yaml names")
    given = parser.parse_args()
    root = given.folder.absolute()
    write(root / "data", payment_rows=given.payments, reply_rows=given.replies, seed=given.seed)
    config = (HERE / "hatrack.yaml").read_text(encoding="utf-8")
    if given.base:
        config = config.replace("base: bundled/all-minilm-l6-v2", f"base: {given.base}")
    (root / "hatrack.yaml").write_text(config, encoding="utf-8")
    command("train", "reply", "--project", str(root))
    for name in TABLES:
        command("table", "train", name, "--project", str(root))
    Console(width=150, highlight=False).print(result(root), "The data is synthetic: this shows the mechanism, not the world.")


if __name__ == "__main__":
    main()
