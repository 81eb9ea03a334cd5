"""Puts small faults into the code, one at a time, and reports those that no test notices.

    make mutants                                            200 mutants of the default rooms
    PYTHONPATH=tests python -m support.mutants --count 50 --rooms core --seed 3

A first run of the tests under coverage records which tests execute which line. Each mutant then runs only the tests
that execute its line, on a copy of ``src``; the checkout is never changed. A mutant that makes the tests hang counts
as noticed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "tunebook"
ROOMS = ("core", "tools", "run", "analysis/statistics")
_SLOW = ("slurm", "end_to_end", "report_page", "browser", "demo", "resume", "retry_oom", "design_session")
_MOST_TESTS = 25
_LIMIT_S = 300
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
    """One fault: the lines of a file that it replaces, and the text that it puts there."""

    path: str
    line: int
    end_line: int
    column: int
    end_column: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.before.split())} → {' '.join(self.after.split())}"

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
    tree = ast.parse(source)
    relative = path.relative_to(ROOT / "src").as_posix()
    for node in _executed_nodes(tree):
        before = ast.get_source_segment(source, node)
        changed = _changed(node)
        if before is None or changed is None:
            continue
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        yield Mutant(
            relative,
            node.lineno,
            node.end_lineno,
            node.col_offset,
            node.end_col_offset,
            before,
            changed,
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


def record_coverage(database: Path) -> None:
    """Runs the quick tests and records which of them execute which line."""
    skipped = " and ".join(f"not {word}" for word in _SLOW)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", skipped]
    command += [f"--cov={PACKAGE}", "--cov-context=test", "--cov-report=", "--numprocesses=2", "--dist=loadgroup"]
    env = os.environ | {"COVERAGE_FILE": str(database), "COVERAGE_CORE": "ctrace"}
    subprocess.run(command, cwd=ROOT, env=env, check=False)


def tests_by_line(database: Path) -> dict[str, dict[int, list[str]]]:
    """File, relative to ``src``, to line to the tests that execute it."""
    from coverage import CoverageData

    data = CoverageData(str(database))
    data.read()
    found: dict[str, dict[int, list[str]]] = {}
    for file in data.measured_files():
        relative = file.partition("/src/")[2]
        contexts = data.contexts_by_lineno(file)
        found[relative] = {line: [name.split("|")[0] for name in names if name] for line, names in contexts.items()}
    return found


def noticed(mutant: Mutant, covered: dict[str, dict[int, list[str]]]) -> tuple[bool, str]:
    """Whether a test fails with this fault, and the first words of why or why not."""
    lines = covered.get(mutant.path, {})
    tests: list[str] = []
    for line in range(mutant.line, mutant.end_line + 1):
        tests += lines.get(line, [])
    if not tests:
        # Only importing executes the line: any test that uses the file may notice.
        tests = [name for names in lines.values() for name in names]
    tests = sorted(set(tests))
    if not tests:
        return False, "no quick test uses the file"
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        source = Path(scratch, "src")
        shutil.copytree(ROOT / "src", source)
        target = source / mutant.path
        target.write_text(mutant.applied(target.read_text(encoding="utf-8")), encoding="utf-8")
        # A sample keeps faults in code that every test executes affordable; seeded, so that a rerun does the same.
        chosen = tests if len(tests) <= _MOST_TESTS else random.Random(0).sample(tests, _MOST_TESTS)  # noqa: S311
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *chosen]
        env = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return True, "the tests hang"
        return done.returncode == 1, f"{len(chosen)} of {len(tests)} tests"


def main() -> None:
    """Prints one line per mutant and the share that survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--coverage", type=Path, help="the record of an earlier run; it is made where it is missing")
    parser.add_argument("--out", type=Path, help="a JSON Lines file for the results")
    options = parser.parse_args()
    database = options.coverage or Path(tempfile.mkdtemp(), "coverage")
    if not database.exists():
        record_coverage(database)
    covered = tests_by_line(database)
    mutants = chosen_mutants(options.rooms, options.count, options.seed)
    survivors = 0
    with ThreadPoolExecutor(max_workers=options.workers) as pool:
        for mutant, (killed, why) in zip(mutants, pool.map(partial(noticed, covered=covered), mutants), strict=True):
            survivors += not killed
            sys.stdout.write(f"{'noticed ' if killed else 'SURVIVED'} {mutant} ({why})\n")
            sys.stdout.flush()
            if options.out:
                with options.out.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"mutant": str(mutant), "noticed": killed, "why": why}) + "\n")
    sys.stdout.write(f"{len(mutants)} mutants, {survivors} survived ({100 * survivors / max(1, len(mutants)):.1f} %)\n")


if __name__ == "__main__":
    main()
