"""One code, once; guesses are counted for each factor, and the wait ends (RFC 6238 5.2, NIST SP 800-63B-4 3.2.2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from idp.events.models import EventRecord
from idp.kernel import clock, sealing
from idp.mfa import factors, verification
from idp.mfa.models import FREE_TRIES, MOST_FAILURES, RecoveryCode, RecoveryCodes, TotpDevice, open_secret
from tests.support.authenticator import App, enrol
from tests.support.factories import make_person
from tests.support.mailbox import mails

pytestmark = pytest.mark.django_db
WHEN = "2026-11-21T12:00:10+00:00"


@pytest.fixture
def at():
    with time_machine.travel(WHEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def app(at, person) -> App:
    return enrol(person)


def codes(person) -> list[str]:
    from idp.mfa.factors import make_codes

    class Request:
        session = None

    return make_codes(person, request=Request())  # type: ignore[arg-type]


@pytest.mark.clause("MF-01")
@pytest.mark.parametrize(
    "spelling", ["{}", " {} ", "{0[0]}{0[1]}{0[2]} {0[3]}{0[4]}{0[5]}", "{0[0]}{0[1]}{0[2]}-{0[3]}{0[4]}{0[5]}", "wide"]
)
def test_one_code_is_good_once_in_whatever_spelling(person, app, at, spelling):
    code = app.code()
    typed = "".join(chr(ord(digit) - 48 + 0xFF10) for digit in code) if spelling == "wide" else spelling.format(code)
    assert verification.check(person, typed).factor is not None
    at.shift(10)
    for again in (code, typed, f"{code[:3]} {code[3:]}"):
        verdict = verification.check(person, again)
        assert (verdict.factor, verdict.refusal in ("wrong", "wait")) == (None, True)


@pytest.mark.clause("MF-04")
@pytest.mark.parametrize(("seconds", "good"), [(-90, False), (-60, False), (-30, True), (0, True), (30, True), (60, False), (90, False)])
def test_a_clock_may_be_off_by_one_step(person, app, seconds, good):
    assert (verification.check(person, app.code(seconds)).factor is not None) == good


def test_after_a_later_code_an_earlier_one_is_refused(person, app, at):
    assert verification.check(person, app.code(30)).factor is not None
    assert verification.check(person, app.code(0)).factor is None


def test_a_clock_that_goes_wrong_is_followed_but_not_for_ever(person, app, at):
    for slip in (30, 60, 90):  # each step a little further ahead than the last
        at.shift(120)
        found = verification.check(person, app.code(slip)).factor
        assert (found is not None) is True
    at.shift(120)
    assert verification.check(person, app.code(150)).factor is None
    assert TotpDevice.objects.get().drift <= 2


@pytest.mark.clause("MF-13")
@pytest.mark.parametrize(
    "typed",
    ["", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "\U0001f600" * 6, "1" * 10_000, "\x00" * 6, "IIIIIIIIII"],
)
def test_what_cannot_be_a_code_is_not_even_counted(person, app, typed):
    assert verification.check(person, typed).refusal == "malformed"
    assert TotpDevice.objects.get().throttling_failure_count == 0


@pytest.mark.clause("MF-02")
def test_five_wrong_codes_then_a_quarter_of_an_hour_and_a_mail(person, app, at):
    for failure in range(1, FREE_TRIES + 2):
        assert verification.check(person, app.wrong()).refusal == "wrong"
        wait = verification.check(person, app.code())  # right, but too early: not looked at
        assert (wait.refusal, wait.retry_after) == ("wait", 2 ** (failure - 1) if failure <= FREE_TRIES else 900)
        at.shift(wait.retry_after - (1 if failure > FREE_TRIES else 0))
    assert verification.check(person, app.code()).refusal == "wait"
    assert "five wrong codes" in next(mail for mail in mails(person.email) if "wrong codes" in mail.text).text
    assert EventRecord.objects.filter(name="factor.locked").count() == 1
    at.shift(2)
    assert verification.check(person, app.code()).factor is not None
    assert TotpDevice.objects.get().throttling_failure_count == 0


def test_a_hundred_wrong_codes_switch_the_factor_off_until_another_one_succeeds(person, app, at):
    sheet = codes(person)
    TotpDevice.objects.update(throttling_failure_count=MOST_FAILURES - 1, throttling_failure_timestamp=clock.now() - timedelta(days=1))
    assert verification.check(person, app.wrong()).refusal == "wrong"
    at.shift(86400)
    assert verification.check(person, app.code()).refusal == "disabled"
    assert factors.required(person), "guessing must not open the account"
    assert EventRecord.objects.filter(name="factor.disabled").count() == 1
    assert verification.check(person, sheet[0]).factor is not None
    assert verification.check(person, app.code()).factor is not None


def test_each_factor_counts_for_itself(person, app, at):
    sheet, other = codes(person), enrol(person, name="Tablet")
    verification.check(person, app.wrong())
    assert {device.throttling_failure_count for device in TotpDevice.objects.all()} == {1}
    assert RecoveryCodes.objects.get().throttling_failure_count == 0
    assert verification.check(person, sheet[0]).factor is not None
    at.shift(2)
    assert verification.check(person, other.code()).factor is not None


def test_the_code_of_one_app_is_no_failure_of_another(person, app, at):
    """Whoever always uses the second app is no guesser at the first: no count, no lock, no warning."""
    other = enrol(person, name="Tablet")
    for _ in range(FREE_TRIES + 2):
        assert verification.check(person, other.code()).factor is not None
        at.shift(30)
    assert set(TotpDevice.objects.values_list("throttling_failure_count", flat=True)) == {0}
    assert not EventRecord.objects.filter(name="factor.locked").exists()
    verification.check(person, app.wrong())
    assert set(TotpDevice.objects.values_list("throttling_failure_count", flat=True)) == {1}


def test_a_code_that_fits_a_locked_app_is_not_looked_at(person, app, at):
    other = enrol(person, name="Tablet")
    TotpDevice.objects.filter(name="Phone").update(throttling_failure_count=FREE_TRIES + 1, throttling_failure_timestamp=clock.now())
    assert verification.check(person, app.code()).factor is None
    at.shift(2)
    assert verification.check(person, other.code()).factor is not None


def test_codes_of_somebody_else_are_wrong(person, app, at):
    eve = make_person(email="eve@example.org")
    hers, sheet = enrol(eve), codes(eve)
    assert verification.check(person, hers.code()).refusal == "wrong"
    assert verification.check(person, sheet[0]).refusal == "wrong"


def test_a_recovery_code_works_once_however_it_is_written(person, app):
    sheet = codes(person)
    assert len(set(sheet)) == 10
    assert verification.check(person, f" {sheet[0].lower().replace('-', ' ')} ").factor is not None
    assert verification.check(person, sheet[0]).refusal == "wrong"
    assert factors.codes_left(person) == 9
    assert "9 codes are left" in mails(person.email)[-1].text


def test_new_recovery_codes_end_the_former(person, app, at):
    former, _new = codes(person), codes(person)
    assert verification.check(person, former[0]).refusal == "wrong"
    assert RecoveryCode.objects.count() == 10


def test_recovery_codes_survive_a_new_secret_key(person, app, settings):
    sheet = codes(person)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one, with enough characters to be taken seriously"
    assert verification.check(person, sheet[0]).factor is not None


def test_nothing_in_the_tables_can_be_used(person, app):
    sheet = codes(person)
    device = TotpDevice.objects.get()
    raw = open_secret(person.pk, device.sealed_secret)
    assert raw.hex() not in device.sealed_secret
    assert app.key.replace(" ", "") not in device.sealed_secret
    stored = b"".join(bytes(row.digest) for row in RecoveryCode.objects.all())
    assert not any(code.replace("-", "").encode() in stored for code in sheet)


def test_a_secret_is_bound_to_its_person(person, app):
    eve = make_person(email="eve@example.org")
    with pytest.raises(sealing.SealBroken):
        open_secret(eve.pk, TotpDevice.objects.get().sealed_secret)


def test_the_app_gets_what_rfc_6238_apps_understand(person):
    from urllib.parse import parse_qs, unquote, urlsplit

    enrolment = factors.begin(person)
    parts = urlsplit(enrolment.uri)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc, unquote(parts.path).endswith(f":{person.email}")) == ("otpauth", "totp", True)
    assert query["secret"] == enrolment.manual_key.replace(" ", "")
    assert (query["algorithm"], query["digits"], query["period"]) == ("SHA1", "6", "30")
    assert factors.begin(person, sealed=enrolment.sealed).uri == enrolment.uri
