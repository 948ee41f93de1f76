"""acr, amr and auth_time: every set of proofs there can be (OIDC Core 2, RFC 8176)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from idp.sessions import assurance
from idp.sessions.assurance import NOTHING, ONE_FACTOR, TWO_FACTORS, Proof, evaluate

START = datetime(2026, 11, 21, tzinfo=UTC)
METHODS = ("password", "totp", "recovery")
EXPECTED = {
    frozenset(): (NOTHING, set()),
    frozenset({"password"}): (ONE_FACTOR, {"pwd"}),
    frozenset({"totp"}): (ONE_FACTOR, {"otp"}),
    frozenset({"recovery"}): (ONE_FACTOR, {"otp"}),
    frozenset({"totp", "recovery"}): (ONE_FACTOR, {"otp"}),  # two things one has are one kind
    frozenset({"password", "totp"}): (TWO_FACTORS, {"pwd", "otp", "mfa"}),
    frozenset({"password", "recovery"}): (TWO_FACTORS, {"pwd", "otp", "mfa"}),
    frozenset({"password", "totp", "recovery"}): (TWO_FACTORS, {"pwd", "otp", "mfa"}),
}


def proof(method: str, seconds: float) -> Proof:
    return Proof(method, START + timedelta(seconds=seconds), "" if method == "password" else f"idp_mfa.{method}/1")


@pytest.mark.parametrize("order", [order for size in range(4) for order in permutations(METHODS, size)], ids="-".join)
def test_every_set_in_every_order(order: tuple[str, ...]) -> None:
    acr, amr = EXPECTED[frozenset(order)]
    for reach in range(len(order) + 1):  # and of each only what is fresh enough
        since = START + timedelta(seconds=10 * reach)
        fresh = order[reach:]
        acr, amr = EXPECTED[frozenset(fresh)]
        found = evaluate([proof(method, 10 * place) for place, method in enumerate(order)], since=since)
        assert (found.acr, set(found.amr)) == (acr, amr)
        assert len(found.amr) == len(set(found.amr))
        assert found.auth_time == (since if fresh else None)


def test_the_order_of_the_records_does_not_matter() -> None:
    proofs = [proof(method, place) for place, method in enumerate(METHODS)]
    assert {evaluate(order) for order in permutations(proofs)} == {evaluate(proofs)}


def test_a_proof_that_was_repeated_counts_as_of_the_last_time() -> None:
    found = evaluate([proof("password", 0), proof("totp", 1), proof("password", 50), proof("totp", 60)])
    assert found.auth_time == START + timedelta(seconds=50)


@pytest.mark.parametrize("method", ["mfa", "code", "socialaccount", "remembered_browser", "passkey?", ""])
def test_a_method_that_nobody_knows_proves_nothing(method: str) -> None:
    assert evaluate([Proof(method, START)]).acr == NOTHING
    assert evaluate([proof("password", 0), Proof(method, START)]).acr == ONE_FACTOR


@pytest.mark.parametrize(
    "record", [{}, {"method": "password"}, {"at": 1, "method": 3}, {"at": "1", "method": "totp"}, {"at": 1, "method": "totp", "device": 7}]
)
def test_a_record_of_another_form_is_left_out(record: dict[str, object]) -> None:
    assert assurance.proofs_of([record]) == []


def test_supported_is_ordered_and_whoever_is_not_on_it_ranks_lowest() -> None:
    ranks = [assurance.rank(acr) for acr in assurance.SUPPORTED]
    assert ranks == sorted(ranks, reverse=True)
    assert min(ranks) == 1
    assert assurance.rank(NOTHING) == assurance.rank("") == assurance.rank("gold") == 0


@pytest.mark.parametrize(
    ("held", "wanted", "told"),
    [
        (TWO_FACTORS, (), TWO_FACTORS),
        (TWO_FACTORS, (ONE_FACTOR,), ONE_FACTOR),
        (TWO_FACTORS, (ONE_FACTOR, TWO_FACTORS), TWO_FACTORS),
        (ONE_FACTOR, (TWO_FACTORS,), ONE_FACTOR),
        (ONE_FACTOR, (TWO_FACTORS, ONE_FACTOR), ONE_FACTOR),
        (NOTHING, (ONE_FACTOR,), NOTHING),
        (ONE_FACTOR, ("gold",), ONE_FACTOR),
    ],
)
def test_an_app_is_told_what_it_asked_for_and_never_more_than_is_true(held: str, wanted: tuple[str, ...], told: str) -> None:
    assert assurance.answered(held, wanted) == told
