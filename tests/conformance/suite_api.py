"""The few calls of the conformance suite's HTTP API that a run needs."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

ENDED = ("FINISHED", "INTERRUPTED")
OUTCOMES = ("passed", "review", "warning", "skipped", "failed")
NOTEWORTHY = {"FAILURE": "failed", "WARNING": "warning", "SKIPPED": "skipped"}

Json = dict[str, Any]


class SuiteError(Exception):
    """The suite cannot be reached or refused a call; the text is meant for the person at the terminal."""


@dataclass(frozen=True)
class Finding:
    """One entry of a module's log that is not a success."""

    severity: str
    condition: str
    message: str
    requirements: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line: severity, condition, what the suite said, and the clauses it names."""
        clauses = f" [{', '.join(self.requirements)}]" if self.requirements else ""
        return f"{self.severity}: {self.condition}: {self.message}{clauses}"


@dataclass(frozen=True)
class ModuleResult:
    """How one module ended: `outcome` is one of `OUTCOMES`."""

    module: str
    test_id: str
    outcome: str
    seconds: float
    findings: list[Finding] = field(default_factory=list)


class Suite:
    """A running suite at a base URL."""

    def __init__(self, base_url: str, *, token: str = "", ca_file: str = "") -> None:
        """Prepare the connection.

        Without `ca_file` the certificate is not verified: the suite runs beside us with a throwaway one, and gets throwaway secrets.
        """
        context = ssl.create_default_context(cafile=ca_file or None)
        if not ca_file:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(base_url=self.base_url, verify=context, headers=headers, timeout=60, trust_env=False)

    def version(self) -> str:
        """Return the suite's version."""
        return str(self._call("GET", "/api/server").get("version", "unknown"))

    def create_plan(self, name: str, *, variant: Json, config: Json) -> Json:
        """Create a plan; the answer has its `id` and its `modules` in order."""
        return self._call("POST", "/api/plan", params={"planName": name, "variant": json.dumps(variant)}, body=config)

    def run_module(
        self,
        plan_id: str,
        module: Json,
        *,
        seconds: float,
        before_start: Callable[[], None] | None = None,
        visit: Callable[[str], None] | None = None,
    ) -> ModuleResult:
        """Run one module of a plan to its end; one that has not ended after `seconds` is cancelled and counts as failed.

        A module that does not start by itself waits for `before_start`, which does what the test is about. `visit` opens the pages
        that a module wants a person to open.
        """
        name = str(module["testModule"])
        begun = time.monotonic()
        params = {"test": name, "plan": plan_id, "variant": json.dumps(module.get("variant") or {})}
        test_id = str(self._call("POST", "/api/runner", params=params)["id"])
        ended, stuck = False, []
        try:
            if before_start is not None:
                self._send(
                    "GET", f"/api/runner/{test_id}/wait-state", params={"states": "CONFIGURED", "timeoutMs": "20000"}, accept=(200, 404)
                )
                before_start()
                self._send("POST", f"/api/runner/{test_id}", accept=(200, 201))
            ended = self._wait(test_id, until=begun + seconds, visit=visit)
            stuck = [] if ended else [self._why_waiting(test_id, seconds=seconds)]
        finally:
            if not ended:
                self._cancel(test_id)
        info = self._call("GET", f"/api/info/{test_id}")
        outcome = str(info.get("result", "")).lower()
        complete = ended and info.get("status") == "FINISHED" and outcome in OUTCOMES
        return ModuleResult(
            module=name,
            test_id=test_id,
            outcome=outcome if complete else "failed",
            seconds=time.monotonic() - begun,
            findings=stuck + self._findings(test_id),
        )

    def export(self, plan_id: str) -> bytes:
        """Return the suite's own report of a plan, a ZIP of HTML pages."""
        return self._send("GET", f"/api/plan/exporthtml/{plan_id}").content

    def _wait(self, test_id: str, *, until: float, visit: Callable[[str], None] | None = None) -> bool:
        """Wait until a module ended; answers whether it did."""
        while (left := until - time.monotonic()) > 0:
            if visit is not None:
                self._visit_all(test_id, visit)
            wait = {"states": ",".join(ENDED), "timeoutMs": str(int(min(left, 20 if visit is None else 1) * 1000) + 1)}
            answer = self._send("GET", f"/api/runner/{test_id}/wait-state", params=wait, accept=(200, 404))
            # 404: the runner has let go of the module already; its record tells how it ended.
            if answer.status_code == 404 or "state" in answer.json():
                return self._call("GET", f"/api/info/{test_id}").get("status") in ENDED
        return False

    def _visit_all(self, test_id: str, visit: Callable[[str], None]) -> None:
        answer = self._send("GET", f"/api/runner/browser/{test_id}", accept=(200, 404, 503))
        for url in answer.json().get("urls") or [] if answer.status_code == 200 else []:
            self._send("POST", f"/api/runner/browser/{test_id}/visit", params={"url": url}, accept=(200, 204, 404))
            visit(url)

    def _why_waiting(self, test_id: str, *, seconds: float) -> Finding:
        """Say what a stuck module was waiting for: mostly a page that no browser step fits."""
        answer = self._send("GET", f"/api/runner/browser/{test_id}", accept=(200, 404))
        pages = ", ".join(answer.json().get("urls") or []) if answer.status_code == 200 else ""
        waited_for = f"waits for a person to open {pages}" if pages else "waits for a callback or for a page to be kept as evidence"
        return Finding("failed", "runner", f"not ended after {seconds:.0f} s: {waited_for}")

    def _cancel(self, test_id: str) -> None:
        """Stop a module; one that ended in the meantime is unknown (404) or refuses (500), which is all right."""
        self._send("DELETE", f"/api/runner/{test_id}", accept=(200, 404, 500))

    def _findings(self, test_id: str) -> list[Finding]:
        entries = self._send("GET", f"/api/log/{test_id}").json()
        return [_finding(entry) for entry in entries if entry.get("result") in NOTEWORTHY]

    def _call(self, method: str, path: str, *, params: dict[str, str] | None = None, body: Json | None = None) -> Json:
        answer: Json = self._send(method, path, params=params, body=body, accept=(200, 201)).json()
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Json | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> httpx.Response:
        content = json.dumps(body) if body is not None else None
        try:
            answer = self._http.request(method, path, params=params, content=content, headers={"Content-Type": "application/json"})
        except httpx.HTTPError as error:
            raise SuiteError(f"no answer from the suite at {self.base_url}: {error}") from error
        if answer.status_code not in accept:
            raise SuiteError(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer


def _finding(entry: Json) -> Finding:
    """Read one log entry; entries of the scripted browser also tell the page it was on (without its query, which is long)."""
    page = str(entry.get("url") or "").partition("?")[0]
    return Finding(
        severity=NOTEWORTHY[entry["result"]],
        condition=str(entry.get("src", "?")),
        message=str(entry.get("msg", "")) + (f" (on {page})" if page else ""),
        requirements=tuple(entry.get("requirements") or ()),
    )
