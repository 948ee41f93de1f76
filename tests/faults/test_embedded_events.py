"""The one-process mode: events reach the Agent as they do with Redis and workers, also those that a killed process left behind (FT-10)."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable

import pytest

from tests.support import servers
from tests.support.agent import Agent, Server
from tests.support.stem import stem

pytestmark = [pytest.mark.embedded, pytest.mark.slow, pytest.mark.usefixtures("django_db_setup")]
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def wait(until: Callable[[], bool], *, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def test_the_embedded_process_tells_the_agent() -> None:
    agent = Agent(secret=SECRET)
    server = Server(agent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"127.0.0.1:{server.server_address[1]}"
    settings = {"IDP_AGENT_URL": f"http://{address}", "IDP_AGENT_SECRET": SECRET, "IDP_OUTBOUND_ALLOW": address}
    try:
        with (
            servers.development_environ(**settings) as environ,
            stem(environ) as grown,
            servers.branch(grown, "run_development", environ=environ) as site,
        ):
            site.wait()
            wait(lambda: bool(agent.state()["people"]))  # the people of the demonstration
            before = len(agent.state()["people"])
            site.kill()
            with servers.branch(grown, "user", "create", "--email", "left@example.org", "--verified", environ=environ) as command:
                assert command.process.wait(60) == 0, command.log
            assert len(agent.state()["people"]) == before
            with servers.branch(grown, "serve", environ=environ):
                wait(lambda: len(agent.state()["people"]) == before + 1)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        agent.store.close()
