"""Puts small faults into the code, one at a time, and reports those that no test notices.

    make mutants                                            200 mutants of the default rooms
    PYTHONPATH=tests python -m support.mutants --count 50 --rooms core --seed 3

A first run of the tests under coverage records which tests execute which line. Each mutant then runs only the tests
that execute its line, on a copy of ``src``; the checkout is never changed. A mutant that makes the tests run much
longer than they ran unchanged counts as noticed. ``--again FILE`` tries only the survivors of an earlier run.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.mutant_tests import Trial, read_record, record_tests, run_trials

ROOT = Path(__file__).parents[2]
PACKAGE = "tunebook"
ROOMS = ("core", "tools", "run", "analysis/statistics")
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True)
class Mutant:
    """One fault: the lines of a file that it replaces, and the text that it puts there.

    Attributes:
        is_at_import: whether importing the module executes it, and not a function.
    """

    path: str
    line: int
    end_line: int
    column: int
    end_column: int
    before: str
    after: str
    is_at_import: bool

    def __str__(self) -> str:
        before, after = " ".join(self.before.split()), " ".join(self.after.split())
        return f"{self.path}:{self.line}:{self.column + 1}: {before} → {after}"

    def applied(self, source: str) -> str:
        """The file's text with the fault in it. Columns count UTF-8 bytes, as in :mod:`ast`."""
        lines = source.splitlines(keepends=True)
        first = lines[self.line - 1].encode()
        last = lines[self.end_line - 1].encode()
        head = first[: self.column].decode()
        tail = last[self.end_column :].decode()
        return "".join([*lines[: self.line - 1], head + self.after + tail, *lines[self.end_line :]])


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every fault that is put into one file."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    relative = path.relative_to(ROOT / "src").as_posix()
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {line for function in functions for line in range(function.body[0].lineno, (function.end_lineno or 0) + 1)}
    for node in _executed_nodes(tree):
        changed = _changed(node)
        if changed is None:
            continue
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        # ast.get_source_segment would split the whole file again for every node.
        own = "".join(lines[node.lineno - 1 : node.end_lineno]).encode()
        end = len(own) - len(lines[node.end_lineno - 1].encode()) + node.end_col_offset
        before = own[node.col_offset : end].decode()
        yield Mutant(
            relative,
            node.lineno,
            node.end_lineno,
            node.col_offset,
            node.end_col_offset,
            before,
            changed,
            is_at_import=node.lineno not in inside,
        )


def _executed_nodes(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Expressions and statements, without annotations, ``__all__``, f-strings and the arguments of exceptions."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.JoinedStr | ast.Raise | ast.AnnAssign | ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            continue
        if isinstance(node, ast.expr | ast.stmt):
            yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(node.body)
        elif isinstance(node, ast.ClassDef):
            pending.extend(item for item in node.body if not isinstance(item, ast.AnnAssign))
        else:
            pending.extend(ast.iter_child_nodes(node))


def _changed(node: ast.expr | ast.stmt) -> str | None:
    """The faulty text of a node; ``None`` for nodes that are left as they are."""
    if isinstance(node, ast.Continue):
        return "break"
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        return "return None"
    if isinstance(node, ast.Constant):
        return _changed_constant(node.value)
    changed = _changed_expression(node)
    return None if changed is None else f"({ast.unparse(changed)})"


def _changed_expression(node: ast.expr | ast.stmt) -> ast.expr | None:
    match node:
        case ast.Compare() if type(node.ops[0]) in _COMPARISONS:
            return ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
        case ast.BoolOp():
            return ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            return node.operand
        case ast.IfExp():
            return ast.IfExp(node.test, node.orelse, node.body)
        case _:
            return None


def _changed_constant(value: object) -> str | None:
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int | float):
        return repr(value + 1)
    return None


def chosen_mutants(rooms: list[str], count: int, seed: int) -> list[Mutant]:
    """A random sample that gives each room a share by the number of its possible faults."""
    found: list[Mutant] = []
    for room in rooms:
        for path in sorted((ROOT / "src" / PACKAGE / room).rglob("*.py")):
            found.extend(mutants_of(path))
    return random.Random(seed).sample(found, min(count, len(found)))  # noqa: S311  a sample, no secret


def main() -> None:
    """Prints one line per mutant and the share that survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--most", type=int, default=150, help="the number of tests per mutant, nearest first")
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--coverage", type=Path, help="the record of an earlier run; it is made where it is missing")
    parser.add_argument("--again", type=Path, help="the results of an earlier run: tries its survivors again")
    parser.add_argument("--out", type=Path, help="a JSON Lines file for the results")
    options = parser.parse_args()
    database = options.coverage or Path(tempfile.mkdtemp(), "coverage")
    if not database.exists():
        record_tests(database)
    record = read_record(database)
    mutants = chosen_mutants(options.rooms, options.count, options.seed)
    if options.again:
        survived = _survivors(options.again)
        mutants = [mutant for mutant in mutants if str(mutant) in survived]
    trials = []
    for mutant in mutants:
        faulty = mutant.applied((ROOT / "src" / mutant.path).read_text(encoding="utf-8"))
        tests = record.tests_of(mutant.path)
        if not mutant.is_at_import:
            tests = record.tests_for(mutant.path, mutant.line, mutant.end_line)
        trials.append(Trial(str(mutant), mutant.path, faulty, tuple(tests[: options.most]), record.limit(tests)))
    survivors = 0
    for trial, (killed, why) in run_trials(trials, options.workers):
        survivors += not killed
        sys.stdout.write(f"{'noticed ' if killed else 'SURVIVED'} {trial.name} ({why})\n")
        sys.stdout.flush()
        if options.out:
            with options.out.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"mutant": trial.name, "noticed": killed, "why": why}) + "\n")
    sys.stdout.write(f"{len(mutants)} mutants, {survivors} survived ({100 * survivors / max(1, len(mutants)):.1f} %)\n")


def _survivors(results: Path) -> set[str]:
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    return {row["mutant"] for row in rows if not row["noticed"]}


if __name__ == "__main__":
    main()
