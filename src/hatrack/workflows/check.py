"""What ``hatrack check`` finds out about an adapter's data before anything is trained."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hatrack.data.prepare import Prepared
from hatrack.data.tokens import TokenReport, check_truncation, render_examples, token_report
from hatrack.models.render import ChatRenderer, Rendered
from hatrack.workflows.adapt import Workbench

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Finding", "check_adapter"]


@dataclass(frozen=True)
class Finding:
    """Splits, labels and tokens of one adapter's data, after every check has passed."""

    name: str
    prepared: Prepared
    tokens: TokenReport
    rendered: tuple[Rendered, ...]

    def labels(self) -> Counter[str]:
        """Training rows of each label."""
        return Counter(example.label for example in self.prepared.splits.train if example.label)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "adapter": self.name,
            "rows": self.prepared.record.rows,
            "rejected": self.prepared.record.rejected,
            "digest": self.prepared.record.digest,
            "labels": dict(self.labels()),
            "tokens": {
                "total": self.tokens.tokens,
                "trained_share": round(self.tokens.trained_share, 4),
                "quantiles": self.tokens.quantiles,
                "truncated_rows": self.tokens.truncated,
            },
            "notes": list(self.prepared.notes),
        }

    def table(self) -> Table:
        """For people."""
        from rich.table import Table

        table = Table(title=f"{self.name}: this data can be trained on", title_justify="left", show_header=False)
        rows, labels, tokens = self.prepared.record.rows, self.labels(), self.tokens
        table.add_row("rows", f"{rows['train']:,} train, {rows['validation']:,} validation, {rows['test']:,} test")
        if labels:
            most, least = labels.most_common(1)[0], labels.most_common()[-1]
            table.add_row("labels", f"{len(labels)}: from {most[1]:,} rows ({most[0]}) to {least[1]:,} ({least[0]})")
        at = tokens.quantiles
        table.add_row(
            "tokens in a row",
            f"median {at['p50']}, 95 % {at['p95']}, 99 % {at['p99']}, longest {at['max']}; {tokens.truncated} rows are cut",
        )
        table.add_row("trained tokens", f"{tokens.trained:,} of {tokens.tokens:,} ({tokens.trained_share:.1%})")
        if rows["train"] < 100:
            table.add_row("advice", f"{rows['train']} training rows are few; 100 to 1,000 good ones are usual")
        table.add_row("digest", self.prepared.record.digest[:12])
        return table


def check_adapter(bench: Workbench, name: str) -> Finding:
    """Prepare and render one adapter's data exactly as training would.

    Raises:
        DataError: whatever training would refuse too (F01 to F08).
    """
    config = bench.adapter(name)
    prepared = bench.prepare(name)
    train = prepared.splits.train
    if bench.files.kind == "causal":
        rendered = render_examples(train, config, ChatRenderer(bench.files.tokenizer, bench.files.stop_ids))
    else:
        tokenizer: Any = bench.files.tokenizer
        whole = tokenizer([example.text for example in train], verbose=False)["input_ids"]
        limit = config.train.max_length
        # an encoder learns from the row as a whole: every token counts, none is generated
        rendered = [Rendered(tuple(ids[:limit]), (True,) * len(ids[:limit]), len(ids) > limit) for ids in whole]
        check_truncation(sum(one.shortened for one in rendered), len(rendered), config)
    return Finding(name, prepared, token_report(rendered), tuple(rendered))
