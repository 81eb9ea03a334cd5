"""``tunebook mcp`` with the official client over stdio: typed results, errors, progress, cancellation, two at once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from support.command_line import TUNEBOOK, tunebook
from support.mcp_client import Progress, Session, talk, text_of
from support.scaffolding import replace
from support.tiny_model import MODEL, build_tiny_model, write_tiny_experiment
from tunebook.cli.served.documents import LARGEST, LONGEST, cut, fitted
from tunebook.disk.lock import exclusive

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers and torch warn of one another
PLAN = "experiment_summary.md"
TOOLS = ["check", "check_deep", "scaffold", "run", "status", "cancel", "analyze"]
DOCUMENT = {"ok", "exit_code", "data", "warnings", "errors", "left_out"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("models") / MODEL)


@pytest.fixture
def tiny(model: Path, tmp_path: Path) -> Path:
    """One training, its evaluation, and that of the base model; not scaffolded."""
    write_tiny_experiment(tmp_path / "tiny", model, ranks=(4,))
    return tmp_path / "tiny"


@pytest.fixture
def slow(tiny: Path) -> Path:
    """The same, with jobs that wait long before they begin; scaffolded."""
    (tiny / "claude.local.md").write_text("## Module System\n    sleep 500\n")
    assert tunebook(tiny, "scaffold").returncode == 0
    return tiny


def test_the_tools_are_typed_and_say_what_they_may_change(experiment: Path) -> None:
    async def conversation(session: Session) -> Any:
        return (await session.client.list_tools()).tools

    tools = {tool.name: tool for tool in talk(experiment, conversation)}
    assert list(tools) == TOOLS
    for tool in tools.values():
        assert tool.description
        assert tool.output_schema is not None
        assert set(tool.output_schema["properties"]) == DOCUMENT
        assert all("description" in item for item in tool.input_schema["properties"].values()), tool.name
    hints = {name: tool.annotations for name, tool in tools.items() if tool.annotations is not None}
    assert [name for name, hint in hints.items() if hint.read_only_hint] == ["check", "status"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_check_scaffold_and_status_return_the_documents_of_the_command_line(experiment: Path, mode: str) -> None:
    async def conversation(session: Session) -> list[dict[str, Any]]:
        return [await session.document(tool) for tool in ("check", "scaffold", "status")]

    check, scaffold, status = talk(experiment, conversation, mode=mode)
    assert [check["exit_code"], scaffold["exit_code"], status["exit_code"]] == [0, 0, 4]
    assert len(check["warnings"]) == 3
    assert check["data"]["settings"] == {}
    assert {file["action"] for file in scaffold["data"]["files"]} == {"created"}
    for tool, found in (("check", check), ("status", status)):
        printed = json.loads(tunebook(experiment, tool, "--json").stdout)
        if tool == "check":
            printed["data"]["settings"] = {}
        assert found == {name: printed[name] for name in DOCUMENT - {"left_out"}} | {"left_out": {}}


def test_settings_are_listed_of_the_runs_that_are_asked_for(experiment: Path) -> None:
    async def conversation(session: Session) -> tuple[dict[str, Any], Any]:
        found = await session.document("check", settings=["*_rank8_lr1e-5"])
        return found["data"]["settings"], await session.call("check", settings=["rank9"])

    settings, wrong = talk(experiment, conversation)
    assert list(settings) == ["Llama-3.2-1B-Instruct_rank8_lr1e-5"]
    values = {item["key"]: item["value"] for (run,) in [settings.values()] for item in run}
    assert values["lora_rank"] == "8"
    assert text_of(wrong).startswith("error: `settings`: no run is named `rank9`")


def test_the_deep_check_reports_each_proof(experiment: Path) -> None:
    progress = Progress()

    async def conversation(session: Session) -> dict[str, Any]:
        return await session.document("check_deep", progress=progress)

    found = talk(experiment, conversation)["data"]["deep"]
    assert {item["state"] for item in found} <= {"passed", "not checked", "doubtful"}
    assert "time" in {item["title"] for item in found}
    assert len(progress.texts) > len(found)


@pytest.mark.parametrize("tool", ["check", "scaffold", "run"])
def test_a_wrong_plan_is_a_tool_error_with_its_line_its_hint_and_exit_code_3(experiment: Path, tool: str) -> None:
    replace(experiment / PLAN, "| Learning Rate | Batch", "| Learning Rat | Batch")

    async def conversation(session: Session) -> Any:
        return await session.call(tool)

    result = talk(experiment, conversation)
    assert result.is_error
    assert result.structured_content["exit_code"] == 3
    wrong = [item for item in result.structured_content["errors"] if item["line"] == 30]
    assert wrong
    assert wrong[0]["file"].endswith(PLAN)
    text = text_of(result)
    assert f"{PLAN}:30: error: " in text
    assert "did you mean `Learning Rate`?" in text
    assert text.endswith("exit code 3")


def test_a_directory_without_a_plan_is_a_usage_error_and_wrong_arguments_name_the_parameter(tmp_path: Path) -> None:
    async def conversation(session: Session) -> tuple[Any, ...]:
        return (
            await session.call("status"),
            await session.call("run", directory="elsewhere"),
            await session.call("scaffold", stage="training"),
            await session.call("run", slots=0),
        )

    status, run, scaffold, slots = talk(tmp_path, conversation)
    assert all(result.is_error for result in (status, run, scaffold, slots))
    assert text_of(status).startswith(f"error: no {PLAN} in {tmp_path}\n    → ")
    assert status.structured_content["exit_code"] == run.structured_content["exit_code"] == 2
    assert str(tmp_path / "elsewhere") in text_of(run)
    assert "stage" in text_of(scaffold)
    assert "slots" in text_of(slots)


def test_edited_files_are_kept_and_no_tool_error(experiment: Path) -> None:
    async def conversation(session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
        await session.document("scaffold")
        replace(experiment / "rank8_lr1e-5" / "finetune.slurm", "--ntasks=1", "--ntasks=2")
        kept = await session.document("scaffold", dry_run=True)
        return kept, await session.document("scaffold", overwrite=True)

    kept, overwritten = talk(experiment, conversation)
    assert (kept["exit_code"], kept["data"]["conflicts"]) == (4, ["rank8_lr1e-5/finetune.slurm"])
    assert "--ntasks=2" in next(file["diff"] for file in kept["data"]["files"] if file["action"] == "conflict")
    assert (overwritten["exit_code"], overwritten["data"]["conflicts"]) == (0, [])
    assert "--ntasks=2" in (experiment / "rank8_lr1e-5" / "finetune.slurm.orig").read_text()


def test_run_reports_progress_ends_with_scores_and_is_analyzed(tiny: Path) -> None:
    progress = {name: Progress() for name in ("scaffold", "run", "analyze")}

    async def conversation(session: Session) -> list[dict[str, Any]]:
        return [
            await session.document("scaffold", progress=progress["scaffold"]),
            await session.document("run", dry_run=True),
            await session.document("run", executor="local", runs=["*_base"], progress=progress["run"]),
            await session.document("analyze", progress=progress["analyze"]),
        ]

    _, planned, run, analysis = talk(tiny, conversation)
    assert (planned["exit_code"], planned["data"]["executor"]) == (0, "")
    assert len(planned["data"]["planned"]["to_run"]) == 3
    assert (run["exit_code"], run["data"]["executor"]) == (0, "local")
    assert run["data"]["submitted"] == ["SmolLM2-135M_base/eval/capitalization_base"]
    scored = {job["state"]: job["score"] for job in run["data"]["jobs"] if job["score"] is not None}
    assert set(scored) == {"completed"}
    assert analysis["exit_code"] == 4  # the training is missing
    assert analysis["data"]["gaps"]
    assert Path(analysis["data"]["report"]).is_file()
    for heard in progress.values():
        assert heard.values == sorted(set(heard.values))
    steps = [text for text in progress["scaffold"].texts if not re.search(r" \(for \d+s\)$", text)]
    assert steps == [
        "reading the plan",
        "torchtune: writing and verifying",
        "inspect-ai: writing and verifying",
    ]
    assert progress["run"].texts[-1].startswith("1 of 1 job ended: 1 completed")
    assert "drawing figures and writing the report" in progress["analyze"].texts


def test_failed_jobs_are_a_tool_error_that_names_output_and_advice_but_not_for_status(tiny: Path) -> None:
    (tiny / "claude.local.md").write_text("## Module System\n    exit 3\n")

    async def conversation(session: Session) -> tuple[Any, Any]:
        await session.document("scaffold")
        return await session.call("run", executor="local"), await session.call("status")

    run, status = talk(tiny, conversation)
    assert run.is_error
    assert run.structured_content["exit_code"] == 1
    assert "finetune: " in text_of(run)
    assert f"{tiny}/" in text_of(run)
    assert not status.is_error
    assert status.structured_content["exit_code"] == 1
    assert status.structured_content["data"]["counts"]["failed"] == 2


def test_a_run_that_is_cancelled_ends_its_jobs_while_other_calls_are_answered(slow: Path) -> None:
    async def conversation(session: Session) -> tuple[set[str], dict[str, Any]]:
        progress = Progress()
        seen: set[str] = set()
        async with anyio.create_task_group() as group:

            async def run() -> None:
                with scope:
                    await session.call("run", executor="local", progress=progress)

            scope = anyio.CancelScope()
            group.start_soon(run)
            while "running" not in seen:  # two calls at once
                seen |= await session.states()
                await session.document("check")
            scope.cancel()
        await session.until(lambda states: "running" not in states)
        assert progress.texts
        return seen, await session.document("status")

    seen, status = talk(slow, conversation)
    assert seen == {"pending", "running"}
    assert {job["reason"] for job in status["data"]["jobs"] if job["reason"]} == {"CANCELLED"}
    assert status["data"]["counts"].get("completed") is None


def test_a_detached_run_answers_at_once_refuses_a_second_one_and_is_ended_by_cancel(slow: Path) -> None:
    async def conversation(session: Session) -> list[Any]:
        first = await session.document("run", executor="local", detach=True)
        await session.until(lambda states: "running" in states)
        again = await session.call("run", executor="local")
        cancelled = await session.document("cancel")
        return [first, again, cancelled, await session.states(), await session.document("cancel")]

    first, again, cancelled, states, nothing = talk(slow, conversation)
    assert first["exit_code"] == 4
    assert "When the server ends, the jobs on this machine end too" in first["data"]["goes_on"]
    assert len(first["data"]["submitted"]) == 1
    assert again.is_error
    assert again.structured_content["exit_code"] == 4
    assert "already running" in text_of(again)
    assert cancelled["data"]["cancelled"] == first["data"]["submitted"]
    assert "running" not in states
    assert nothing["data"]["cancelled"] == []


def test_cancel_ends_a_run_that_another_call_waits_for(slow: Path) -> None:
    async def conversation(session: Session) -> Any:
        results: list[Any] = []

        async def run() -> None:
            results.append(await session.call("run", executor="local"))

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await session.until(lambda states: "running" in states)
            await session.document("cancel")
        return results[0]

    result = talk(slow, conversation)
    assert result.is_error
    assert result.structured_content["exit_code"] == 130
    assert "1 job on this machine was ended; `run` resumes the experiment" in text_of(result)


def test_the_end_of_the_conversation_ends_the_jobs_of_this_machine(slow: Path) -> None:
    async def conversation(session: Session) -> None:
        await session.document("run", executor="local", detach=True)
        await session.until(lambda states: "running" in states)

    talk(slow, conversation)
    deadline = time.monotonic() + 60
    while '"running"' in tunebook(slow, "status", "--json").stdout and time.monotonic() < deadline:
        time.sleep(0.5)
    jobs = json.loads(tunebook(slow, "status", "--json").stdout)["data"]["jobs"]
    assert {job["state"] for job in jobs} <= {"failed", "pending"}
    with exclusive(slow, "run", wait_s=30):  # no monitor is left
        pass


def test_completed_work_is_repeated_only_if_the_person_agreed(tiny: Path) -> None:
    async def conversation(session: Session) -> tuple[Any, Any]:
        await session.document("scaffold")
        await session.document("run", executor="local", runs=["*_base"])
        replace(tiny / PLAN, "- **Evaluation Max Tokens:** 12", "- **Evaluation Max Tokens:** 13")
        await session.document("scaffold")
        refused = await session.call("run", executor="local", runs=["*_base"])
        return refused, await session.document("status")

    refused, status = talk(tiny, conversation)
    assert refused.is_error
    assert refused.structured_content["exit_code"] == 4
    assert "completed work would be repeated" in text_of(refused)
    assert "`repeat_completed`" in text_of(refused)
    assert status["data"]["counts"].get("running") is None


def called(directory: Path, tool: str) -> subprocess.Popen[bytes]:
    """A server that was greeted and asked for a tool, without a client that watches over its pipes."""
    server = subprocess.Popen(
        [TUNEBOOK, "mcp"], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.stdin is not None
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    requests: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": tool, "arguments": {}}},
    ]
    for request in requests:
        server.stdin.write(json.dumps({"jsonrpc": "2.0"} | request).encode() + b"\n")
        server.stdin.flush()
    return server


def test_stdout_carries_the_protocol_only_and_a_signal_ends_the_server_with_its_code(experiment: Path) -> None:
    server = called(experiment, "scaffold")
    assert server.stdout is not None
    answers = [json.loads(server.stdout.readline()) for _ in range(2)]
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["ok"] is True
    server.send_signal(signal.SIGTERM)
    rest, errors = server.communicate(timeout=60)
    assert (rest, server.returncode) == (b"", 143)
    assert errors.decode().splitlines() == ["tunebook mcp: interrupted"]


def test_a_client_that_has_gone_is_no_bug_and_its_jobs_on_this_machine_end(slow: Path) -> None:
    server = called(slow, "run")
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    while '"running"' not in tunebook(slow, "status", "--json").stdout:
        time.sleep(0.2)
    server.stdout.close()
    server.stdin.close()
    assert (server.stderr.read(), server.wait()) == (b"", 0)
    assert '"running"' not in tunebook(slow, "status", "--json").stdout
    assert not list((slow / ".tunebook").glob("bug-*"))


def test_without_the_package_the_command_says_how_to_install_it(tmp_path: Path) -> None:
    """The metadata of the SDK are hidden, as in an environment that lacks it."""
    hidden = "import importlib.metadata as m\nold = m.version\n"
    hidden += "def version(name):\n    if name == 'mcp': raise m.PackageNotFoundError(name)\n    return old(name)\n"
    code = f"{hidden}m.version = version\nimport sys\nsys.argv = ['tunebook', 'mcp']\n"
    code += "from tunebook.cli.main import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "`tunebook mcp` needs the package mcp" in done.stderr
    assert "[mcp]'" in done.stderr


def test_long_lists_are_cut_and_say_how_many_items_are_left_out() -> None:
    left_out: dict[str, int] = {}
    parts = [{"scripts": [str(number) for number in range(LONGEST + 30)]}, {"scripts": ["a"] * (LONGEST + 1)}]
    found = cut({"parts": parts, "name": "x"}, left_out)
    assert [len(part["scripts"]) for part in found["parts"]] == [LONGEST, LONGEST]
    assert left_out == {"parts.scripts": 31}


def test_data_that_would_be_too_large_have_shorter_lists_and_whole_settings() -> None:
    left_out: dict[str, int] = {}
    files = [{"path": str(number), "diff": "+" * (LARGEST // 10)} for number in range(LONGEST)]
    settings = {f"run{number}": [{"key": str(key)} for key in range(LONGEST + 1)] for number in range(LONGEST)}
    found = fitted({"files": files, "settings": settings, "name": "x"}, left_out)
    assert len(json.dumps(found)) <= LARGEST
    assert left_out == {"files": LONGEST - len(found["files"]), "settings": LONGEST - len(found["settings"])}
    assert found["files"]
    assert {len(of) for of in found["settings"].values()} == {LONGEST + 1}
