"""kernel.ids and kernel.sealing."""

from __future__ import annotations

import base64
import hashlib
import os
import re

import pytest
from pytest_django import Settings

from idp.kernel import ids
from idp.kernel.sealing import SealBroken, key_id_of, newest_key_id, seal, unseal


def test_a_secret_is_long_url_safe_and_different_each_time() -> None:
    tokens = {ids.secret_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_a_name_can_be_given_to_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["-option", "--json", "name-"])
    monkeypatch.setattr("idp.kernel.ids.secret_token", lambda nbytes: next(drawn))
    assert ids.identifier() == "name-"


def test_a_digest_is_sha256_and_takes_any_text() -> None:
    assert ids.digest("abc") == hashlib.sha256(b"abc").digest()
    assert len(ids.digest("\udcff\x00")) == 32


def test_a_reference_can_be_read_aloud() -> None:
    assert all(re.fullmatch(r"[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}", ids.reference()) for _ in range(200))


def test_what_is_sealed_opens_for_the_same_purpose_only() -> None:
    sealed = seal(b"mail body", purpose="outbox")
    assert unseal(sealed, purpose="outbox") == b"mail body"
    assert b"mail" not in base64.urlsafe_b64decode(sealed.split(".")[1] + "==")
    assert seal(b"mail body", purpose="outbox") != sealed
    with pytest.raises(SealBroken):
        unseal(sealed, purpose="signing-key")


@pytest.mark.parametrize(
    "broken", ["", ".", "x", "nobody.AAAA", "{id}.", "{id}.AAAA", "{id}.***", "{id}.é", "{id}.{changed}", "{id}.{cut}"]
)
def test_anything_else_is_refused(broken: str) -> None:
    body = bytearray(base64.urlsafe_b64decode(seal(b"text", purpose="p").split(".")[1] + "=="))
    body[-1] ^= 1
    text = broken.format(
        id=newest_key_id(), changed=base64.urlsafe_b64encode(body).decode(), cut=base64.urlsafe_b64encode(body[:-1]).decode()
    )
    with pytest.raises(SealBroken):
        unseal(text, purpose="p")


def test_keys_rotate(settings: Settings) -> None:
    old, new = os.urandom(32), os.urandom(32)
    settings.SEALING_KEYS = {"a": old}
    sealed = seal(b"x", purpose="p")
    settings.SEALING_KEYS = {"b": new, "a": old}
    assert unseal(sealed, purpose="p") == b"x"
    assert key_id_of(sealed) == "a"
    assert key_id_of(seal(b"x", purpose="p")) == newest_key_id() == "b"
    settings.SEALING_KEYS = {"b": new}
    with pytest.raises(SealBroken):
        unseal(sealed, purpose="p")
