"""The policy (NIST SP 800-63B-4 3.1.1; hostile cases PW-14, PW-15) and the bounded hasher."""

import threading
import unicodedata

import pytest
from django.contrib.auth.hashers import check_password, identify_hasher, make_password

from idp.accounts import passwords
from idp.accounts.models import User

GOOD = "a long enough pass phrase"


@pytest.mark.parametrize("good", [GOOD, "x7#kQ2!m Zp9@rT4", "ünïcödé ïs fïnë töö", "🐎🔋 staple correct words", "  spaces at the ends  "])
def test_good_passwords_pass(good):
    assert passwords.problems(good, context=("ana@example.org", "Ana", "Kairos ID")) == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("fourteen chars", "at least 15 characters: 1 more is needed"),
        ("short", "10 more are needed"),
        ("", "15 more are needed"),
        ("x" * 129, "at most 128"),
        ("x" * 1_000_000, "at most 128"),
        ("\ufdfa" * 30, "at most 128"),  # one code point that becomes 18 under NFKC
        ("valid but with a \x00 in it", "at most 128"),
        ("aaaaaaaaaaaaaaaaaaaa", "lists that attackers try"),
        ("abababababababababab", "lists that attackers try"),
        ("abcdefghijklmnopq", "lists that attackers try"),
        ("12345678901234567890", "lists that attackers try"),
        ("passwordpassword", "lists that attackers try"),
        ("Password1234567890", "lists that attackers try"),
        ("MANCHESTERUNITED", "lists that attackers try"),
        ("qwertyuiopasdfghjkl", "lists that attackers try"),
        ("ana.maria@example.org", "made of your address"),
        ("anamaria-example-1", "made of your address"),
        ("Kairos ID Kairos ID", "made of your address"),
    ],
)
def test_what_is_guessed_first_is_refused_with_the_reason(bad, why):
    found = passwords.problems(bad, context=("ana.maria@example.org", "Ana Maria", "Kairos ID"))
    assert len(found) == 1
    assert why in found[0]
    assert not bad or bad not in found[0]


def test_the_longest_allowed_password_is_accepted_and_told_apart_from_a_longer_one():
    longest = "".join(f"{number} sheep, " for number in range(99))[:128]
    assert passwords.problems(longest) == []
    user = User()
    user.set_password(longest)
    assert user.check_password(longest)
    assert not user.check_password(longest[:-1])


def test_one_unicode_rule():
    """Composed and decomposed spellings are one password; nothing else is folded."""
    user = User(email="ana@example.org")
    user.set_password(unicodedata.normalize("NFD", "ünïcödé ïs fïnë töö"))
    assert user.check_password("ünïcödé ïs fïnë töö")
    assert not user.check_password("Ünïcödé ïs fïnë töö")
    assert not user.check_password(" ünïcödé ïs fïnë töö")


def test_argon2id_with_the_configured_cost(settings):
    encoded = make_password(GOOD)
    assert identify_hasher(encoded).algorithm == "argon2"
    assert encoded.startswith(f"argon2$argon2id$v=19$m={settings.IDP.argon2_memory_kib},t={settings.IDP.argon2_iterations},p=1$")
    assert check_password(GOOD, encoded)


def test_no_more_hashes_at_once_than_there_are_slots():
    slots = passwords._Slots(2, queue=1, patience=0.05)
    inside, leave = threading.Barrier(3), threading.Event()

    def hold():
        with slots.taken():
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    with pytest.raises(passwords.HashingBusy), slots.taken():
        raise AssertionError("a third hash ran")
    leave.set()
    for thread in threads:
        thread.join()
    with slots.taken():
        pass


def test_a_full_queue_answers_at_once():
    slots = passwords._Slots(1, queue=0, patience=60)
    with slots.taken(), pytest.raises(passwords.HashingBusy), slots.taken():
        raise AssertionError("waited in a full queue")
