"""The model of these stories: chat completions from a script, over HTTP. The prompt alone decides about the reply."""

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bot.local.faults import Cut
from bot.local.server import HOST
from tests.kill.knife import Knife
from tests.models.test_openai import streamed

TASK = re.compile(r"^# Your task: (.+)$", re.MULTILINE)
RUN = re.compile(r"^- (Run \d+), which changed", re.MULTILINE)

Script = Callable[[str], str]
"""From a task, as the prompt's heading names it, to the reply."""


class ModelServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script, knife: Knife) -> None:
        super().__init__((HOST, 0), _Handler)
        self.script = script
        self.knife = knife
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.url = f"http://{HOST}:{self.server_port}/v1"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_POST(self) -> None:
        self.close_connection = True
        prompt = str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][1]["content"])
        try:
            request = self.server.knife.before("ASK", self.path)
            self.server.asked.append(prompt)
            body = streamed(self.server.script(task_of(prompt)))
            self.server.knife.after(request)
        except Cut:
            return
        self._send(body)
        self.server.answered.append(prompt)

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (its name in the base class)
        """Says nothing."""


def task_of(prompt: str) -> str:
    """`the plan`, `the code of run 2`, … and for a summary the run that the prompt names elsewhere."""
    tasks, runs = TASK.findall(prompt), RUN.findall(prompt)
    return f"{tasks[-1]}: {runs[0]}" if runs else str(tasks[-1])
