"""A Jupyter server that ends under requests: everybody is told, nothing is left, and the log shows no fault."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import httpx
from processes import JupyterServer, emulated, running_emulator, running_jupyter, wait_for


def test_a_look_under_way_is_told(tmp_path: Path) -> None:
    """A look that waits for a platform that hangs gets a 503 by contract when the server ends, and no traceback."""
    answers: list[tuple[int, str]] = []

    def look(server: JupyterServer) -> None:
        with server.client() as client:
            reply = client.get("jupyter-autostop/instance")
        answers.append((reply.status_code, reply.json()["code"]))

    with (
        running_emulator() as endpoint,
        running_jupyter(tmp_path, "--AutostopApp.request_timeout=120", settings=emulated(endpoint)) as server,
        httpx.Client(base_url=endpoint, trust_env=False) as control,
    ):
        control.post("/_emulator/faults", json={"kind": "hang", "times": 0}).raise_for_status()
        thread = threading.Thread(target=look, args=(server,))
        thread.start()
        wait_for(lambda: control.get("/_emulator/requests").json()["requests"])
        os.kill(server.pid, signal.SIGTERM)
        thread.join(60)
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert answers == [(503, "shutting_down")]
    assert "Traceback" not in log
    assert "Task was destroyed" not in log
