"""Which clause a test shows. `docs/conformance-matrix.md` is generated from these calls (tests/support/matrix.py reads the source)."""

from __future__ import annotations

from typing import Any

import pytest


def clause(*clauses: str) -> pytest.MarkDecorator:
    """Decorator: this test shows these clauses ("RFC 6749 4.1.2", "hostile case CO-01")."""
    return pytest.mark.clause(*clauses)


def case(clause: str, name: str, *values: Any) -> Any:
    """A row of a table: the clause, what is given in words, the values."""
    return pytest.param(*values, id=f"{clause}: {name}", marks=pytest.mark.clause(clause))
