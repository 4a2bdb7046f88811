"""Lint rules on normalization whose evaluation differs from what its author may expect."""

from __future__ import annotations

from collections.abc import Iterator

from netbuilder.components.kind_groups import BATCH_NORMS, INSTANCE_NORMS
from netbuilder.network.analysis import Analysis
from netbuilder.network.lint.base import Evidence, Finding, Rule, leaf_rows


def no_running_statistics(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """Batch normalization without running statistics normalizes by the batch in evaluation too."""
    for row in leaf_rows(analysis):
        if row.kind in BATCH_NORMS and not row.arguments["track_running_stats"]:
            yield Finding(
                (*row.place, "track_running_stats"),
                "in torch, the output for an image then depends on which other images share its "
                "batch, in evaluation too; netbuilder evaluates, predicts and exports with the "
                "statistics of the first 1,000 training images",
                "write track_running_stats: true, unless that is meant",
            )


def still_statistics(analysis: Analysis, _evidence: Evidence) -> Iterator[Finding]:
    """Running statistics with momentum 0 stay as they start."""
    for row in leaf_rows(analysis):
        fields = row.arguments
        if row.kind not in BATCH_NORMS + INSTANCE_NORMS or not fields["track_running_stats"]:
            continue
        if fields["momentum"] == 0:
            yield Finding(
                (*row.place, "momentum"),
                "the running statistics stay at mean 0 and variance 1, so that it normalizes in "
                "training and changes nothing in evaluation",
                "use a momentum above 0, or null for the average of all batches",
            )


RULES = (
    Rule("no-running-statistics", no_running_statistics),
    Rule("still-statistics", still_statistics),
)
