"""Small evaluations, and a judge server in this process, for the tests of judging and of the report."""

import json
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from recipe_tapo.evaluation.folder import METRICS, PROBLEMS, RESPONSES, SETTINGS, write_object, write_records
from recipe_tapo.evaluation.records import Problem, ResponseRecord


def write_evaluation(
    folder: Path,
    responses: dict[tuple[str, int], list[tuple[str, bool]]],
    question: Callable[[str, int], str] = "{0} question {1}".format,
    gold: str = "4",
    metrics: dict[str, float | None] | None = None,
    **fields: Any,
) -> Path:
    """Writes a folder as ``tapo evaluate`` does, from text and verdict of each problem's responses."""
    folder.mkdir(parents=True)
    records = [
        ResponseRecord(name, index, 0, sample, text, right=right, pred="4" if right else "5", **fields)
        for (name, index), texts in responses.items()
        for sample, (text, right) in enumerate(texts)
    ]
    write_records(folder / RESPONSES, records)
    write_records(folder / PROBLEMS, [Problem(name, index, question(name, index), gold) for name, index in responses])
    write_object(folder / METRICS, metrics or {})
    write_object(folder / SETTINGS, {"model": folder.name})
    return folder


def verdict_json(attempted="no", located="no", diagnosed="no", led="no", **fields) -> str:
    return json.dumps(
        {
            "evidence": "",
            "reflection_attempted": attempted,
            "error_located": located,
            "error_diagnosed": diagnosed,
            "led_to_right_answer": led,
        }
        | fields
    )


def completion(content: str | None, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "judge",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
    }


@dataclass
class JudgeServer:
    """A running server and what it was asked."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def prompts(self) -> list[str]:
        return [request["messages"][0]["content"] for request in self.requests]


Answer = tuple[int, dict[str, Any] | str]


@contextmanager
def judge_server(behave: Callable[[str, int], Answer]) -> Iterable[JudgeServer]:
    """Serves chat completions; ``behave`` maps a prompt and its number, from 1, to status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                judge.requests.append(body)
                number = len(judge.requests)
            status, answer = behave(body["messages"][0]["content"], number)
            payload = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    lock = threading.Lock()
    server = Server(("127.0.0.1", 0), Handler)
    judge = JudgeServer(f"http://127.0.0.1:{server.server_port}/v1")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield judge
    finally:
        server.shutdown()
        server.server_close()
