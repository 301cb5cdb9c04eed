"""An OpenAI-compatible server inside the test's own process."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from recipe_tapo.sampling.chat import ChatClient
from recipe_tapo.sampling.server import ServerSampler

Answer = tuple[int, str, bytes]


def completion(text: str | None, finish_reason: str = "stop") -> Answer:
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}},
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
    return 200, "application/json", json.dumps(body).encode()


def failure(status: int, message: str) -> Answer:
    return status, "application/json", json.dumps({"error": {"message": message}}).encode()


class Server:
    """An HTTP server of this process; ``answer`` maps a request's body and how often it came to what is sent."""

    def __init__(self, answer: Callable[[dict, int], Answer | None]) -> None:
        self.bodies: list[dict] = []
        self.headers: list[dict] = []
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                self.send(handler, (200, "application/json", b'{"object": "list", "data": []}'))

            def do_POST(handler) -> None:
                body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
                with lock:
                    times = self.bodies.count(body)
                    self.bodies.append(body)
                    self.headers.append({name.lower(): value for name, value in handler.headers.items()})
                self.send(handler, answer(body, times))

            def log_message(handler, *_) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever)

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, answer: Answer | None) -> None:
        if answer is None:  # the connection breaks
            handler.close_connection = True
            return
        status, kind, body = answer
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def __enter__(self) -> "Server":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def sampler(self, retries: int = 0, timeout: float = 10.0, concurrency: int = 4, **template) -> ServerSampler:
        url = f"http://127.0.0.1:{self.http.server_port}/v1"
        return ServerSampler(ChatClient(url, "m", timeout, retries), template, concurrency)
