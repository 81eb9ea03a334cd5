"""The report's section on the proof that the evaluated models are the trained ones."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.formatting import plural
from tunebook.analysis.records import RunRecord
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Block, Cell, Column, Section, Table, Text
from tunebook.analysis.values import Analysis
from tunebook.artifacts.proof import EpochProof

__all__ = ["proof_section"]

_Proved = tuple[RunRecord, EpochProof]
_NOTE = (
    "Mean loss of the answers of held-out examples: under the model as it was trained, and under the checkpoint as "
    "evaluations load it. A training whose two losses differ by more than the tolerance fails."
)


def proof_section(analysis: Analysis) -> Section:
    """One row for each checkpoint that was compared, and which trainings have none."""
    proved = list(_proved(analysis))
    blocks: list[Block] = []
    if proved:
        blocks.append(_table(analysis, proved))
    unproved = [analysis.labels[run.name] for run in analysis.runs if _lacks_proof(run)]
    if unproved:
        count = plural(len(unproved), "training has no proof", "trainings have no proof")
        names = ", ".join(unproved)
        reason = "its recipe is not tunebook's, or it was started without tunebook"
        blocks.append(Text(f"{count} that the evaluated model is the trained one ({reason}): {names}."))
    if not blocks:
        blocks.append(Text("No training has ended yet."))
    return Section("proof", "Trained and evaluated models", tuple(blocks), short="Proof")


def _proved(analysis: Analysis) -> Iterator[_Proved]:
    for run in analysis.runs:
        if run.training is not None:
            for entry in run.training.proof:
                yield run, entry


def _lacks_proof(run: RunRecord) -> bool:
    training = run.training
    if training is None or not training.is_done:
        return False
    return all(entry.evaluated is None for entry in training.proof)


def _table(analysis: Analysis, proved: list[_Proved]) -> Table:
    labels = analysis.labels

    def holds(entry: EpochProof) -> Cell:
        if entry.evaluated is None:
            return Cell()
        return cells.text("yes" if entry.holds else "no")

    columns = (
        Column("run", "Run", lambda item: cells.name(labels[item[0].name], item[0].name)),
        Column("epoch", "Epoch", lambda item: cells.number(item[1].epoch), is_number=True),
        Column("trained", "As trained", lambda item: cells.number(item[1].trained, ".5g"), is_number=True),
        Column("evaluated", "As evaluated", lambda item: cells.number(item[1].evaluated, ".5g"), is_number=True),
        Column("tolerance", "Tolerance", lambda item: cells.number(item[1].tolerance, ".2g"), is_number=True),
        Column("holds", "Same model", lambda item: holds(item[1])),
        Column("samples", "Examples", lambda item: cells.number(item[1].samples), is_number=True),
        Column("split", "Split", lambda item: cells.text(item[1].split)),
    )
    return Table.of("proof", "Trained and evaluated models", columns, proved, note=_NOTE)
