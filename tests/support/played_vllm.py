"""A server that plays vLLM: the same command line and protocol, answers by arithmetic, and faults on request.

Started as a program (``python -m support.played_vllm``) it reads the faults from the variable ``PLAYED``; in a test's
process it is :class:`PlayedServer`. Needs the standard library only, so that it starts in a moment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["Model", "PlayedServer"]

_END = 2


def arithmetic_log_probabilities(tokens: Sequence[int], adapter: str) -> list[float]:
    """Those of all tokens but the first; an adapter makes every token more probable, by the length of its name."""
    values = [-1.0 - token % 7 for token in tokens[1:]]
    if not adapter:
        return values
    return [value / (2 + len(adapter.rpartition("/")[2])) for value in values]


def arithmetic_answer(tokens: Sequence[int], _: str) -> list[int]:
    """Two tokens that follow from the prompt, and the one that ends an answer."""
    return [tokens[-1] + 1, tokens[0] + 1, _END]


@dataclass
class Model:
    """What a played server computes of token ids and the directory of an adapter, which is empty for the base.

    Attributes:
        log_probabilities: of all tokens but the first.
        answer: the ids that continue a prompt; the last one ends the answer.
    """

    log_probabilities: Callable[[Sequence[int], str], list[float]] = arithmetic_log_probabilities
    answer: Callable[[Sequence[int], str], list[int]] = arithmetic_answer


@dataclass
class PlayedServer:
    """A server on a free port of this machine.

    Attributes:
        faults: any of ``ignores_adapters``, ``renders`` (another prompt), ``answers_as`` (another model's name),
            ``refuses_adapters``, ``dies_after`` (a number of completions).
        requests: every body that it got, by path.
    """

    name: str = "base"
    path: str = "/models/base"
    key: str = "secret"
    longest: int = 100
    faults: dict[str, Any] = field(default_factory=dict)
    model: Model = field(default_factory=Model)
    adapters: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    port: int = 0
    _http: Any = None

    def start(self) -> PlayedServer:
        """Answers requests in threads of this process."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self._http.played = self
        self._http.daemon_threads = True
        self.port = int(self._http.server_address[1])
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Answers no longer."""
        self._http.shutdown()
        self._http.server_close()

    def description(self, precision: str = "fp32", max_rank: int = 8) -> dict[str, Any]:
        """What the file of the service says."""
        found = {"url": f"http://127.0.0.1:{self.port}", "key": self.key, "model": self.name, "path": self.path}
        return {**found, "precision": precision, "longest": self.longest, "max_rank": max_rank, "version": "played"}

    def models(self) -> dict[str, Any]:
        """Every model with its directory."""
        data: list[dict[str, Any]] = [{"id": self.name, "root": self.path, "max_model_len": self.longest}]
        data += [{"id": name, "root": path, "parent": self.name} for name, path in self.adapters.items()]
        return {"data": data}

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to one prompt of token ids."""
        prompt, name = body["prompt"], body["model"]
        adapter = "" if self.faults.get("ignores_adapters") else self.adapters.get(name, "")
        tokens = self.model.answer(prompt, adapter)[: body["max_tokens"]]
        choice: dict[str, Any] = {"token_ids": tokens, "prompt_token_ids": self.faults.get("renders", prompt)}
        choice["finish_reason"] = "stop" if tokens[-1] in body.get("stop_token_ids", []) else "length"
        if body.get("prompt_logprobs") is not None:
            values = self.model.log_probabilities(prompt, adapter)
            entries = [{str(token): {"logprob": value}} for token, value in zip(prompt[1:], values, strict=True)]
            choice["prompt_logprobs"] = [None, *entries]
        return {"model": self.faults.get("answers_as", name), "choices": [choice]}


class _Handler(BaseHTTPRequestHandler):
    """The paths of vLLM that evaluations use."""

    protocol_version = "HTTP/1.1"

    @property
    def played(self) -> PlayedServer:
        server: Any = self.server
        found: PlayedServer = server.played
        return found

    def log_message(self, *_: Any) -> None:
        """Keeps the output short."""

    def do_GET(self) -> None:
        if self.path == "/version":
            self._send(200, {"version": "played"})
        elif self._is_allowed():
            self._send(200, self.played.models())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_allowed():
            return
        self.played.requests.append((self.path, body))
        if self.path == "/v1/load_lora_adapter":
            self._load(body)
        elif self.path == "/v1/unload_lora_adapter":
            self.played.adapters.pop(body["lora_name"], None)
            self._send(200, {})
        elif body["model"] not in (self.played.name, *self.played.adapters):
            self._send(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        else:
            self._complete(body)

    def _complete(self, body: dict[str, Any]) -> None:
        done = sum(1 for path, _ in self.played.requests if path == "/v1/completions")
        if done > self.played.faults.get("dies_after", done):
            sys.stderr.write("RuntimeError: out of memory in the middle\n")
            os._exit(3)
        self._send(200, self.played.complete(body))

    def _load(self, body: dict[str, Any]) -> None:
        if self.played.faults.get("refuses_adapters"):
            self._send(400, {"error": {"message": self.played.faults["refuses_adapters"]}})
            return
        self.played.adapters[body["lora_name"]] = body["lora_path"]
        self._send(200, {})

    def _is_allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {self.played.key}":
            return True
        self._send(401, {"error": "Unauthorized"})
        return False

    def _send(self, code: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        with suppress(BrokenPipeError):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)


def main() -> None:
    """Plays ``vllm.entrypoints.openai.api_server``, with the faults of the variable ``PLAYED``."""
    parser = argparse.ArgumentParser()
    for option in ("--model", "--served-model-name", "--host"):
        parser.add_argument(option, required=True)
    parser.add_argument("--port", type=int, required=True)
    given, others = parser.parse_known_args()
    faults = json.loads(os.environ.get("PLAYED", "{}"))
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # as vLLM has its engine
    report = {"pids": [os.getpid(), child.pid], "options": others, "arguments": sys.argv, "variables": dict(os.environ)}
    if "report" in faults:
        part = Path(f"{faults['report']}.part")
        part.write_text(json.dumps(report))
        part.replace(faults["report"])
    time.sleep(faults.get("starts_after_s", 0))
    if "dies_at_start" in faults:
        sys.stderr.write(f"INFO starting\nValueError: {faults['dies_at_start']}\nINFO ending\n")
        child.kill()
        sys.exit(1)
    taken = Path(faults.get("port_taken", "/nonexistent"))
    if taken.exists():  # for the first attempt only
        taken.unlink()
        sys.stderr.write("OSError: [Errno 98] Address already in use\n")
        child.kill()
        sys.exit(1)
    key = os.environ["VLLM_API_KEY"]
    PlayedServer(name=given.served_model_name, path=given.model, key=key, faults=faults, port=given.port).start()
    time.sleep(faults.get("dies_after_s", 600))
    sys.stderr.write("RuntimeError: the engine is gone\n")
    child.kill()
    sys.exit(4)


if __name__ == "__main__":
    main()
