"""What the playground remembers of one browser: the steps so far and the tokens it holds. In memory, bounded, development only."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from idp.kernel.ids import secret_token

MOST_BROWSERS = 50
MOST_STEPS = 40
MOST_PENDING = 10


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an app must check, and whether it holds."""

    ok: bool
    what: str
    detail: str = ""


@dataclass(slots=True)
class Step:
    """One exchange: what was sent, what came back, what was made of it."""

    title: str
    method: str
    url: str
    explanation: str = ""
    by_browser: bool = False
    sent: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    status: int | None = None
    answer_headers: list[tuple[str, str]] = field(default_factory=list)
    answer: str = ""
    tokens: list[tuple[str, str]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return (self.status is not None and self.status >= 400) or any(not check.ok for check in self.checks)


@dataclass(slots=True)
class Pending:
    """What must be remembered between the authorization request and its answer."""

    state: str
    nonce: str
    code_verifier: str
    max_age: int | None


@dataclass(slots=True)
class Notebook:
    """One browser's page."""

    steps: list[Step] = field(default_factory=list)
    pending: OrderedDict[str, Pending] = field(default_factory=OrderedDict)
    code: str = ""
    last: Pending | None = None
    access_token: str = ""
    refresh_token: str = ""
    id_token: str = ""
    subject: str = ""

    def write(self, step: Step) -> Step:
        """Add a step; the oldest ones go when there are too many."""
        self.steps.append(step)
        del self.steps[:-MOST_STEPS]
        return step

    def expect(self, pending: Pending) -> None:
        """Remember a request until its answer comes; several tabs may ask at the same time."""
        self.pending[pending.state] = pending
        while len(self.pending) > MOST_PENDING:
            self.pending.popitem(last=False)

    def forget_tokens(self) -> None:
        """The session with the provider is over."""
        self.access_token = self.refresh_token = self.id_token = self.subject = ""


_notebooks: OrderedDict[str, Notebook] = OrderedDict()
_lock = Lock()


def open_notebook(key: str) -> tuple[str, Notebook]:
    """The notebook of the browser that carries `key`; a fresh key and notebook when it is unknown."""
    with _lock:
        if key not in _notebooks:
            key = secret_token()
            _notebooks[key] = Notebook()
        _notebooks.move_to_end(key)
        while len(_notebooks) > MOST_BROWSERS:
            _notebooks.popitem(last=False)
        return key, _notebooks[key]
