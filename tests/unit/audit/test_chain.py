"""The chained log: what is sealed is found whole, and whatever is done to it afterwards is found out and named."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
import time_machine
from django.core.management import CommandError, call_command

from idp.audit import erasure, export, heads, retention, sealer
from idp.audit.models import FIRST_ID, NOTHING_YET, Head, Link, Opening, Sealer, Stream
from idp.audit.verify import verify
from idp.events import catalogue, emit, partitions
from idp.events.catalogue import KEPT
from idp.events.catalogue import Stream as Kind
from idp.events.models import EventRecord
from idp.events.partitions import first_id
from idp.kernel import context
from idp.kernel.clock import now
from idp.oidc.keys import rotation
from tests.support.clauses import clause

pytestmark = pytest.mark.django_db

ADA, GRACE = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def keys(signing_keys) -> None:
    """Heads are signed."""


def happen(count: int = 6) -> None:
    token = context.enter(context.RequestContext(request_id="0123456789abcdef", ip="192.0.2.7", user_agent="Firefox"))
    try:
        for number in range(count):
            emit(catalogue.SignInFailed(reason="password"), person=ADA)
            emit(catalogue.ClientUpdated(client_id=f"app-{number}", members=("redirect_uris", "größe")), by=GRACE)
    finally:
        context.leave(token)


@pytest.fixture
def sealed() -> None:
    """Six rows in the chain of people, six in that of operations, and a signed head over them; the keys' own events are gone."""
    EventRecord.objects.all().delete()
    happen()
    sealer.seal_due()
    assert Head.objects.count() == 1


def links(stream: str = "security") -> list[Link]:
    return list(Link.objects.filter(stream=stream).order_by("seq"))


def test_what_is_sealed_is_whole(sealed):
    report = verify()
    assert report.problems == []
    assert (report.streams, report.records, report.waiting, report.proved) == ({"security": 6, "system": 6}, 12, 0, 1)


def test_sealing_goes_on_where_it_stopped(sealed):
    happen(2)
    assert sealer.seal_due() == 4
    assert sealer.seal_due() == 0
    assert verify().streams == {"security": 8, "system": 8}


def test_rows_that_are_not_sealed_yet_are_counted_and_nothing_worse(sealed):
    happen(1)
    report = verify()
    assert (report.problems, report.waiting) == ([], 2)


def test_a_row_that_becomes_visible_late_is_sealed_late(sealed):
    """Ids are ordered by when they were made, not by when they were committed."""
    late = EventRecord.objects.create(id=first_id(now() - timedelta(minutes=2)), stream="security", name="sign_in.failed")
    assert sealer.seal_due() == 1
    assert links()[-1].event == late.pk
    assert verify().problems == []


def test_a_row_that_is_put_behind_what_has_settled_is_found(sealed):
    with time_machine.travel(now() + timedelta(hours=1), tick=False):
        sealer.seal_due()
        EventRecord.objects.create(id=first_id(now() - timedelta(minutes=30)), stream="security", name="sign_in.failed")
        assert sealer.seal_due() == 0
        assert verify().problems == [f"event {first_id(now() - timedelta(minutes=30))}: is in the log, but in no chain"]


# Tampering


def change(link: Link, **columns) -> None:
    EventRecord.objects.filter(pk=link.event).update(**columns)


@clause("hostile case OP-12")
@pytest.mark.parametrize(
    "columns",
    [{"name": "sign_in.succeeded"}, {"data": {}}, {"client_id": "other"}, {"request_id": "other"}, {"at": now() - timedelta(days=1)}],
    ids=lambda columns: next(iter(columns)),
)
def test_a_changed_row_is_named(sealed, columns):
    third = links()[2]
    change(third, **columns)
    assert verify().problems == [f"security 3 (event {third.event}): the hash does not fit: this record or one before it was changed"]


@clause("hostile case OP-12")
@pytest.mark.parametrize("columns", [{"ip": "192.0.2.8"}, {"user_agent": "Chrome"}, {"person": GRACE}, {"ip": ""}], ids=str)
def test_changed_personal_data_is_named(sealed, columns):
    third = links()[2]
    change(third, **columns)
    assert verify().problems == [f"security 3 (event {third.event}): {next(iter(columns))} was changed"]


def test_personal_data_that_is_added_later_is_named(sealed):
    third = links()[2]
    change(third, by=GRACE)
    assert verify().problems == [f"security 3 (event {third.event}): by was put there later"]


@clause("hostile case OP-12")
def test_a_removed_row_is_named(sealed):
    third = links()[2]
    EventRecord.objects.filter(pk=third.event).delete()
    assert verify().problems == [f"security 3 (event {third.event}): the log row was removed"]


@clause("hostile case OP-12")
def test_a_removed_link_is_named(sealed):
    third, fourth = links()[2:4]
    EventRecord.objects.filter(pk=third.event).delete()
    third.delete()
    assert verify().problems[0] == f"security 4 (event {fourth.event}): follows 2: something was removed, added or moved"


@clause("hostile case OP-12")
def test_an_inserted_link_is_named(sealed):
    """Somebody makes room for a row of their own, and moves what follows."""
    row = EventRecord.objects.create(stream="security", name="sign_in.succeeded")
    for link in reversed(links()[2:]):
        Link.objects.filter(pk=link.pk).update(seq=link.seq + 1)
    Link.objects.create(event=row.pk, stream="security", seq=3, hash=bytes(32))
    Stream.objects.filter(name="security").update(seq=7)
    assert verify().problems[0] == f"security 3 (event {row.pk}): the hash does not fit: this record or one before it was changed"


@clause("hostile case OP-12")
def test_reordered_rows_are_named(sealed):
    second, third = links()[1:3]
    for seq in (1000, 2, 3):
        moved = {1000: second, 2: third, 3: second}[seq]
        Link.objects.filter(pk=moved.pk).update(seq=seq)
    assert verify().problems[0] == f"security 2 (event {third.event}): the hash does not fit: this record or one before it was changed"


@clause("hostile case OP-12")
def test_a_tail_that_was_cut_off_is_named(sealed):
    """Rows, links and the stream's own note: the signed head still knows."""
    fifth, sixth = links()[4:]
    EventRecord.objects.filter(pk__in=[fifth.event, sixth.event]).delete()
    Link.objects.filter(pk__in=[fifth.pk, sixth.pk]).delete()
    fourth = links()[3]
    Stream.objects.filter(name="security").update(seq=4, hash=fourth.hash)
    assert verify().problems == ["security 6: a signed head names it, but it is not here: the end was cut off"]


def test_a_tail_that_was_cut_off_before_the_next_head_is_named(sealed):
    happen(1)
    sealer.seal_due()  # the head is younger than five minutes: none is signed
    links()[6].delete()
    assert "security 7: the chain ends early: its end was cut off" in verify().problems


@clause("hostile case OP-12")
def test_a_chain_that_was_computed_anew_does_not_fit_the_head(sealed):
    """Somebody knows how to compute hashes and corrects everything from the change on."""
    from idp.audit.record import facts
    from idp.audit.verifier import link_hash

    change(links()[2], name="sign_in.succeeded")
    previous = bytes(links()[1].hash)
    for link in links()[2:]:
        row = EventRecord.objects.get(pk=link.event)
        previous = link_hash(previous, facts(row, stream="security", seq=link.seq, commitments=link.commitments))
        Link.objects.filter(pk=link.pk).update(hash=previous)
    Stream.objects.filter(name="security").update(hash=previous)
    assert verify().problems == [f"security 6 (event {links()[5].event}): not what a signed head says"]


@clause("hostile case OP-12")
def test_a_forged_head_is_named(sealed):
    """Signed with a key of the forger's own, whose public half they put into the table of keys."""
    from idp.kernel import jose
    from idp.oidc.models import SigningKey

    private = jose.generate("ES256")
    public = jose.public_jwk(private, "ES256")
    SigningKey.objects.create(kid=public["kid"], algorithm="ES256", public_jwk=public, private_sealed="none", activates_at=now())
    claims = heads.said(Head.objects.get())
    forged = jose.Signer(public["kid"], "ES256", private).sign(claims, typ="audit-head+jwt")
    Head.objects.update(jws=forged)
    assert verify().problems == ["head 1: not signed by a key of this provider"]


def test_a_changed_head_is_named(sealed):
    head = Head.objects.get()
    header, body, signature = head.jws.split(".")
    Head.objects.update(jws=f"{header}.{body[:-4]}AAAA.{signature}")
    assert verify().problems[-1] == "head 1: not signed by a key of this provider"


def test_a_removed_head_is_named(sealed):
    with time_machine.travel(now() + timedelta(hours=1), tick=False):
        happen(1)
        sealer.seal_due()
        happen(1)
    with time_machine.travel(now() + timedelta(hours=2), tick=False):
        sealer.seal_due()
    assert Head.objects.count() == 3
    Head.objects.filter(number=2).delete()
    assert verify().problems == ["head 3: does not follow the head before it"]


def test_a_log_that_was_rolled_back_as_a_whole_does_not_fit_a_head_that_was_kept_elsewhere(sealed):
    kept = Head.objects.get().jws
    for table in (EventRecord, Link, Opening, Stream, Head):
        table.objects.all().delete()
    happen(1)
    sealer.seal_due()
    assert verify().problems == []
    assert "security 6: a signed head names it, but it is not here: the end was cut off" in verify(kept_heads=[kept]).problems


def test_heads_of_a_key_that_is_gone_count_no_more_but_break_nothing(sealed):
    from idp.oidc.models import SigningKey

    old = list(SigningKey.objects.filter(algorithm="ES256"))
    for key in old:
        rotation.withdraw(key.kid)
    sealer.seal_due()
    heads.sign()
    report = verify()
    assert (report.problems, report.heads, report.proved) == ([], 2, 1)


# Heads


def test_a_head_is_signed_every_five_minutes_when_something_happened_and_once_a_day_otherwise(sealed):
    start = now()
    for minutes, expected in ((6, 1), (60 * 23, 1), (60 * 25, 2)):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            sealer.seal_due()
            assert Head.objects.count() == expected
    with time_machine.travel(start + timedelta(minutes=60 * 25 + 6), tick=False):
        happen(1)
        sealer.seal_due()
    assert Head.objects.count() == 3
    assert verify().problems == []


# Erasure


@clause("hostile case EV-10", "hostile case OP-12")
def test_what_is_known_of_a_person_leaves_and_the_chain_stays_whole(sealed):
    assert erasure.forget(ADA) == 6
    report = verify()
    assert (report.problems, report.erased) == ([], 18)
    row = EventRecord.objects.get(pk=links()[0].event)
    assert (row.person, row.ip, row.user_agent) == (None, "", "")
    assert Opening.objects.get(pk=row.pk).salts == {}
    other = EventRecord.objects.get(pk=links("system")[0].event)
    assert other.by == GRACE


def test_of_staff_the_name_and_place_leave_and_the_deed_stays(sealed):
    erasure.forget(GRACE)
    row = EventRecord.objects.get(pk=links("system")[0].event)
    assert (row.by, row.ip, row.client_id) == (None, "", "app-0")
    assert verify().problems == []


def test_what_was_erased_cannot_be_put_back_changed(sealed):
    erasure.forget(ADA)
    third = links()[2]
    change(third, ip="192.0.2.66")
    assert verify().problems == [f"security 3 (event {third.event}): ip was put there later"]


# Retention


def test_what_expired_leaves_and_the_chain_goes_on_from_there(sealed, tmp_path):
    with time_machine.travel(now() + timedelta(days=401), tick=False):
        happen(2)
        sealer.seal_due()
        assert retention.cut_expired() == 0  # the records are still there
        expired = [link.event for link in links()[:6]]
        EventRecord.objects.filter(pk__in=expired).delete()
        assert verify().problems == []
        assert retention.cut_expired() == 6
        assert [link.seq for link in links()] == [7, 8]
        assert verify().problems == []
        assert exported(tmp_path)[0] == 0
        happen(1)
        sealer.seal_due()
        assert verify().problems == []


def test_a_row_that_was_made_before_a_head_and_sealed_after_it_may_leave_before_the_head_is_as_old(sealed):
    """Its age counts from when it was made: it is no cut before its time."""
    start = now()
    with time_machine.travel(start, tick=False) as clock:
        happen(1)  # made now ...
        clock.move_to(start + timedelta(seconds=5))
        heads.sign()  # ... a head that does not know it yet ...
        sealer.seal_due()  # ... and sealed only then
        clock.move_to(start + KEPT[Kind.SECURITY] + timedelta(seconds=2))
        late = links()[-1]
        EventRecord.objects.filter(pk__in=[link.event for link in links()]).delete()
        while retention.cut_expired():
            pass
        assert late.event not in {link.event for link in links()}
        assert verify().problems == []


@pytest.mark.postgresql
def test_a_month_that_was_dropped_is_where_the_chain_begins(sealed, tmp_path):
    """The whole way: two months, one dropped by the schedule, the chain cut behind it; what is missing from the other is found."""
    partitions.make_ahead()
    first = now()
    following = partitions._month(partitions._month(first) + timedelta(days=32)) + timedelta(days=3)
    with time_machine.travel(following, tick=False) as clock:
        partitions.make_ahead()
        happen(3)
        late = EventRecord.objects.filter(name="sign_in.failed").latest("id")
        EventRecord.objects.filter(pk=late.pk).delete()
        sealer.seal_due()
        # Made before the month ended, committed and sealed only now: in the chain it stands behind younger ones.
        late.pk = UUID(int=first_id(first).int + 1)
        late.save(force_insert=True)
        Sealer.objects.update(settled_to=FIRST_ID)
        sealer.seal_due()
        assert verify().problems == []
        clock.move_to(partitions._month(following) + KEPT[Kind.SECURITY] + timedelta(hours=1))
        partitions.keep_in_order()
        assert f"events_eventrecord_security_{first:%Y%m}" not in partitions._partitions()
        assert EventRecord.objects.filter(name="sign_in.failed").count() == 2
        assert verify().problems == []
        code, said = exported(tmp_path)
        assert (code, "1 records at the beginning kept long enough" in said) == (0, True), said
        security = Stream.objects.get(name="security")
        assert security.cut_seq == 6
        assert bytes(security.cut_hash) != NOTHING_YET
        assert verify().problems == []
        gone = links()[1]
        EventRecord.objects.filter(pk=gone.event).delete()
        assert verify().problems == [f"security {gone.seq} (event {gone.event}): the log row was removed"]
        assert exported(tmp_path)[0] == 1


@clause("hostile case OP-12")
def test_what_is_cut_off_before_its_time_is_found(sealed):
    """Somebody removes the first records and sets the beginning of the chain behind them."""
    with time_machine.travel(now() + timedelta(hours=1), tick=False):
        happen(2)
        sealer.seal_due()
        gone = links()[:7]
        EventRecord.objects.filter(pk__in=[link.event for link in gone]).delete()
        Link.objects.filter(pk__in=[link.pk for link in gone]).delete()
        Stream.objects.filter(name="security").update(cut_seq=7, cut_hash=gone[-1].hash)
        assert verify().problems == ["security 7: was cut off before its time"]


# Export


def exported(folder: Path, **options) -> tuple[int, str]:
    export.write(folder, **options)
    return run(folder)


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    # -I: nothing of ours on the path; the program stands alone.
    command = [sys.executable, "-I", str(folder / "verify_audit.py"), str(folder / "audit.jsonl"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_an_export_is_checked_without_us(sealed, tmp_path):
    erasure.forget(ADA)
    code, said = exported(tmp_path)
    assert (code, "13 records, 2 heads proved by" in said, "The chain is whole." in said) == (0, True, True), said
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": list(heads.own_keys().values())}))
    assert run(tmp_path, "--keys", str(keys))[0] == 0
    keys.write_text(json.dumps({"keys": []}))
    assert "the newest head is not signed by a key that is trusted" in run(tmp_path, "--keys", str(keys))[1]


def test_an_export_without_personal_data_holds_none_and_is_checked_as_well(sealed, tmp_path):
    code, _said = exported(tmp_path, personal=False)
    text = (tmp_path / "audit.jsonl").read_text()
    assert code == 0
    assert not any(secret in text for secret in (str(ADA), str(GRACE), "192.0.2.7", "Firefox"))


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda lines: [line.replace('"reason":"password"', '"reason":"x"', 1) for line in lines], "security 1"),
        (lambda lines: [line.replace("192.0.2.7", "192.0.2.8") for line in lines], "ip was changed"),
        (lambda lines: [line for line in lines if '"stream":"security","seq":3' not in line], "security 4"),
        (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], "something was removed, added or moved"),
        (lambda lines: lines[:-1], "the file is not complete"),
        (lambda lines: [*lines[:-2], f'{{"type":"end","records":{len(lines) - 5}}}\n'], "the end was cut off"),
        (lambda lines: ["not json\n"], "cannot be read"),
    ],
    ids=["changed", "personal", "removed", "moved", "short", "cut", "garbage"],
)
def test_a_changed_export_is_found_out(sealed, tmp_path, tamper, said):
    export.write(tmp_path)
    path = tmp_path / "audit.jsonl"
    path.write_text("".join(tamper(path.read_text().splitlines(keepends=True))))
    code, output = run(tmp_path)
    assert (code, said in output) == (1, True), output


def test_an_export_leaves_an_event(sealed, tmp_path):
    export.write(tmp_path)
    assert EventRecord.objects.filter(name="audit.exported", data__people=True).count() == 1


# The command


def command(*arguments: str) -> dict:
    out = StringIO()
    call_command("audit", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command(sealed, tmp_path):
    happen(1)
    assert command("status")["waiting"] == 2
    assert command("seal") == {"sealed": 3}  # the command is recorded, too
    head = command("head")["head"]
    kept = tmp_path / "heads"
    kept.write_text(f"{head}\n")
    assert command("verify", "--heads", str(kept))["whole"] is True
    assert command("export", "--out", str(tmp_path / "out"), "--without-personal-data")["lines"] > 14
    third = links()[2]
    change(third, client_id="other")
    with pytest.raises(CommandError, match=f"security 3 \\(event {third.event}\\)") as caught:
        command("verify")
    assert caught.value.returncode == 1
