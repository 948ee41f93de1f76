"""acr, amr and auth_time: every set of proofs there can be (OIDC Core 2, RFC 8176), against the rules written down a second time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations, product

import pytest

from idp.sessions import assurance
from idp.sessions.assurance import HARDWARE, NOTHING, ONE_FACTOR, PHISHING_RESISTANT, TWO_FACTORS, Proof, evaluate

START = datetime(2026, 11, 21, tzinfo=UTC)
METHODS = ("password", "federated", "totp", "recovery", "sms", "email")
KNOWN = ("password", "totp", "recovery")
# verified, synced, attested
KEYS = list(product((False, True), repeat=3))
AMR = {
    "password": {"pwd"},
    "federated": set(),
    "totp": {"otp"},
    "recovery": {"otp"},
    "sms": {"sms"},
    "email": {"otp"},
}


def proof(method: str, seconds: float) -> Proof:
    return Proof(method, START + timedelta(seconds=seconds), "" if method == "password" else f"idp_mfa.{method}/1")


def key(number: int, seconds: float) -> Proof:
    verified, synced, attested = KEYS[number]
    moment = START + timedelta(seconds=seconds)
    return Proof("webauthn", moment, f"idp_mfa.webauthnkey/{number}", verified=verified, synced=synced, attested=attested)


def expected(methods: tuple[str, ...], keys: tuple[int, ...]) -> tuple[str, set[str]]:
    """The table of the design notes, without the evaluator's words."""
    chosen = [KEYS[number] for number in keys]
    knows = "password" in methods or "federated" in methods
    has = bool(chosen) or any(method in ("totp", "recovery", "sms") for method in methods)
    several = (knows and has) or any(verified for verified, _synced, _attested in chosen)
    amr = set().union(*(AMR[method] for method in methods))
    for _verified, synced, attested in chosen:
        amr |= {"pop", "user"} | ({"swk"} if synced else {"hwk"} if attested else set())
    if not several:
        return (ONE_FACTOR if knows or has else NOTHING), amr
    hard = any(attested and not synced for _verified, synced, attested in chosen)
    return (HARDWARE if hard else PHISHING_RESISTANT if chosen else TWO_FACTORS), amr | {"mfa"}


def test_every_set_of_proofs() -> None:
    """MF-14, MF-16: two to the fourteenth sets."""
    for size in range(len(METHODS) + 1):
        for methods in combinations(METHODS, size):
            proofs = [proof(method, 10 * place) for place, method in enumerate(methods)]
            for many in range(len(KEYS) + 1):
                for keys in combinations(range(len(KEYS)), many):
                    found = evaluate([*proofs, *(key(number, 100 + number) for number in keys)])
                    assert (found.acr, set(found.amr)) == expected(methods, keys), (methods, keys)
                    assert len(found.amr) == len(set(found.amr))
                    counting = [method for method in methods if method != "email"]
                    oldest = 10 * methods.index(counting[0]) if counting else 100 + keys[0] if keys else 0 if methods else None
                    assert found.auth_time == (None if oldest is None else START + timedelta(seconds=oldest))


@pytest.mark.parametrize("order", [order for size in range(4) for order in permutations(KNOWN, size)], ids="-".join)
def test_only_what_is_fresh_enough_counts(order: tuple[str, ...]) -> None:
    for reach in range(len(order) + 1):
        since = START + timedelta(seconds=10 * reach)
        fresh = order[reach:]
        found = evaluate([proof(method, 10 * place) for place, method in enumerate(order)], since=since)
        assert (found.acr, set(found.amr)) == expected(fresh, ())
        assert found.auth_time == (since if fresh else None)


def test_the_order_of_the_records_does_not_matter() -> None:
    proofs = [proof(method, place) for place, method in enumerate(METHODS[:4])]
    assert {evaluate(order) for order in permutations(proofs)} == {evaluate(proofs)}


def test_a_proof_that_was_repeated_counts_as_of_the_last_time() -> None:
    found = evaluate([proof("password", 0), proof("totp", 1), proof("password", 50), proof("totp", 60)])
    assert found.auth_time == START + timedelta(seconds=50)


def test_a_code_by_mail_neither_raises_nor_refreshes() -> None:
    """MF-16."""
    found = evaluate([proof("password", 0), proof("email", 500)])
    assert (found.acr, found.amr, found.auth_time) == (ONE_FACTOR, ("pwd", "otp"), START)
    found = evaluate([proof("totp", 500), proof("email", 0)])
    assert (found.acr, found.auth_time) == (ONE_FACTOR, START + timedelta(seconds=500))


@pytest.mark.parametrize("method", ["mfa", "code", "socialaccount", "trusted_browser", "passkey?", ""])
def test_a_method_that_nobody_knows_proves_nothing(method: str) -> None:
    assert evaluate([Proof(method, START, verified=True, attested=True)]).acr == NOTHING
    assert evaluate([proof("password", 0), Proof(method, START)]).acr == ONE_FACTOR


@pytest.mark.parametrize("method", METHODS)
def test_only_a_key_has_the_facts_of_a_key(method: str) -> None:
    dressed = Proof(method, START, verified=True, synced=True, attested=True)
    assert evaluate([dressed]) == evaluate([Proof(method, START)])


@pytest.mark.parametrize(
    "record", [{}, {"method": "password"}, {"at": 1, "method": 3}, {"at": "1", "method": "totp"}, {"at": 1, "method": "totp", "device": 7}]
)
def test_a_record_of_another_form_is_left_out(record: dict[str, object]) -> None:
    assert assurance.proofs_of([record]) == []


def test_the_facts_of_a_record_are_taken_literally() -> None:
    (found,) = assurance.proofs_of([{"at": 1, "method": "webauthn", "device": "d", "verified": True, "synced": "yes", "attested": 1}])
    assert (found.verified, found.synced, found.attested) == (True, False, False)


def test_supported_is_ordered_and_whoever_is_not_on_it_ranks_lowest() -> None:
    ranks = [assurance.rank(acr) for acr in assurance.SUPPORTED]
    assert ranks == sorted(ranks, reverse=True)
    assert min(ranks) == 1
    assert assurance.rank(NOTHING) == assurance.rank("") == assurance.rank("gold") == 0
    assert assurance.strongest("gold", ONE_FACTOR, TWO_FACTORS, "") == TWO_FACTORS
    assert assurance.strongest() == assurance.strongest("gold") == ""


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
        (HARDWARE, (PHISHING_RESISTANT,), PHISHING_RESISTANT),
    ],
)
def test_an_app_is_told_what_it_asked_for_and_never_more_than_is_true(held: str, wanted: tuple[str, ...], told: str) -> None:
    assert assurance.answered(held, wanted) == told
