"""Passwords that others hashed. The hashes were made by the tools that are named beside them, none of them by this code."""

from __future__ import annotations

import pytest
from django.contrib.auth.hashers import check_password
from django.test import Client

from idp.accounts import hashers, sha_crypt
from idp.accounts.models import User
from tests.support.factories import make_person

FIREBASE = (
    "signer_key=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,"
    "salt_separator=Bw==,rounds=8,mem_cost=14"
)
P = "correct horse battery staple"
KNOWN = {
    # name: (what an export holds, the password)
    "sha512crypt of openssl passwd -6": (
        "$6$saltstring$qvPJY4PeugKzKQqyIJ0gRdJnpS0uaaiZ.X1SaheFedsK/yZPwlluTLS90fJPM41sD5JxCHKgGr1..qt5HqEY8.",
        P,
    ),
    "sha256crypt of openssl passwd -5": ("$5$another$Pfk/hUIyejCgnWcfpG9VV5ststYD1DtGeLlwzBzFKc7", P),
    "sha512crypt of libxcrypt, with rounds": (
        "$6$rounds=1234$abcdefgh$qysIhkL24uHYzQcETef7eIU2w.ZXAKbb..7/QcmG98SOm24/GRDM7rJEvMmQ5WTbHyIHPC3d4WSA1G86KKJwX/",
        P,
    ),
    "sha256crypt of libxcrypt, long password": (
        "$5$rounds=1500$short$DxTNhUQI24JujdwTjzNKNzoEqi55G28ZRJgUG/sFgDC",
        "correct horse battery staplecorrect horse battery staplecorrect horse battery staplecorrect horse battery staple",
    ),
    "bcrypt of the Python package": ("$2b$04$oIkm1Nb4oNKOOJZ0hPJxBO8sVoeakSqrjYrqpsztUjEhNPDzBbbdS", P),
    "bcrypt of libxcrypt ($2y$)": ("$2y$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG", P),
    "bcrypt, more than 72 bytes": (
        "$2b$04$abcdefghijklmnopqrstuuUcWz5bVD9MpuJCmzKEA6NJMXEP3u8t6",
        "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp and something more than that",
    ),
    "argon2id of the reference tool": (
        "$argon2id$v=19$m=8192,t=2,p=1$WOHh//y5nRQ2AiQE/bH7sQ$PzCXS3w2mpXtUAkR/AVX9RBjrwDXHJ4DpmR2docBuew",
        P,
    ),
    "argon2i of argon2-cffi": ("$argon2i$v=19$m=8192,t=2,p=2$c2FsdHNhbHQ$8PjOTu8MczZJfbGpz61A9YYuVEH2E5dLzvQZli7yn2k", P),
    "bcrypt of htpasswd -B": ("$2y$04$tMEVVEiL1Tq3F7Va8yw.L.neurc04B8i6pOwLxt9mVKSp3n1IJjn6", P),
    "pbkdf2-sha256 of passlib": ("$pbkdf2-sha256$1200$DUGIEaL0/r/XmhPCmNO69w$oTUY22keDYTcEXn3uqHv1pS52y6Ex49C0R8jMDTTfDc", P),
    "pbkdf2-sha512 of passlib": (
        "$pbkdf2-sha512$900$VWrN.R.jlFLqPcf4//.fUw$mW4eexn0YMih.vCV4MNseyr.PTU1T1BwIDcIRYWtuNt/utyLHMLxowCV5evD/KyoI2tFF.2pxXs3gY6XGqFJow",
        P,
    ),
    "pbkdf2-sha1 of passlib": ("$pbkdf2$700$A4AQwpizdu69t1bKmbOW8g$NRNd9ff1k8UWhixweugA5icqObg", P),
    "scrypt of passlib": ("$scrypt$ln=8,r=8,p=1$WYuxdm4txbjXWquV8h5DyA$VEh7BbrMKJk4kDZuszcskIOe7Ses1fpihx63fYZU5x4", P),
    "django's pbkdf2_sha256, of passlib": ("pbkdf2_sha256$1000$sNi8PPqbUQQW$8WBpFtLsjBh2jFVckgzFMdWCo32UfLFz/t6YQTrAZOo=", P),
    "django's pbkdf2_sha1, of passlib": ("pbkdf2_sha1$1000$nU8TTW0CpiWG$SJO7Pl7YYDGPJXGiK3NrP5KbsIo=", P),
    "scrypt of Node.js": (
        {
            "algorithm": "scrypt",
            "n": 1024,
            "r": 8,
            "p": 1,
            "salt": "AAECAwQFBgcICQoLDA0ODw==",
            "hash": "mp90zEQd5XGhjEv4WArVH4Z0XRSzkGWtJK2S/AXJlRW+QA9Mynm+TifxZs9Px8KsvJdSEDFaABJ8g6bwc1cgCw==",
        },
        P,
    ),
    "pbkdf2 of Node.js": (
        {
            "algorithm": "pbkdf2",
            "digest": "sha512",
            "iterations": 1000,
            "salt": "AAECAwQFBgcICQoLDA0ODw==",
            "hash": "A6AmFIti7CKlYdoPiV9jf1d9llp37o27Wms8Zx8fwMJGCOigJzAthOW3Pg+XF5PnNiYnsQsIz1N5NtynrEm78w==",
        },
        P,
    ),
    "Firebase's published example": (
        {
            "algorithm": "firebase_scrypt",
            "salt": "42xEC+ixf3L2lw==",
            "hash": "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
        },
        "user1password",
    ),
    "scrypt of Django": (
        "scrypt$1024$somesaltsomesalt$8$5$1rblVaOBG9ZttVK3aYQcdHKsPG9O+K/ye6887aYBJY3HD8LLUmkFbYhxLXdR8+YKU+Zp5aV0onAo2Ma+rlFCZw==",
        P,
    ),
    "bcrypt_sha256 of Django": ("bcrypt_sha256$$2b$04$OaMIo3Lp3I15e5iGaq6B2et.F5.5ZYvDJfcEJIKD8zu7YAloUO/X2", P),
}


@pytest.fixture(autouse=True)
def firebase(settings):
    settings.IDP = settings.IDP.model_copy(update={"firebase_scrypt": type(settings.IDP.firebase_scrypt)(FIREBASE)})


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name):
    export, password = KNOWN[name]
    stored = hashers.encoded(export)
    assert len(stored) <= hashers.LONGEST
    assert hashers.is_foreign(stored) or name == "argon2id of the reference tool"
    assert check_password(password, stored)
    longer = "" if len(password) > 72 and "bcrypt" in name else "x"  # bcrypt looks at 72 bytes
    for wrong in (password + longer if longer else "x", password[:10], password.upper() + "1", ""):
        assert not check_password(wrong, stored)
    assert hashers.encoded(stored) == stored  # what `user export` writes can be imported again


@pytest.mark.django_db
@pytest.mark.parametrize("name", KNOWN)
def test_the_next_sign_in_makes_it_ours(name):
    export, password = KNOWN[name]
    person = make_person()
    User.objects.filter(pk=person.pk).update(password=hashers.encoded(export))
    assert Client().post("/login", {"login": "ada@example.org", "password": "certainly not the password"}).status_code == 400
    assert Client().post("/login", {"login": "ada@example.org", "password": password}).status_code == 302
    person.refresh_from_db()
    assert person.password.startswith("argon2$argon2id$")
    assert not hashers.is_foreign(person.password)
    assert person.check_password(password)
    assert person.credential_epoch == 0  # nobody is signed out by it


@pytest.mark.django_db
def test_a_password_that_was_changed_meanwhile_stays():
    """Two requests: one checks the old hash and makes it ours, the other sets a new password in between."""
    person = make_person()
    old = hashers.encoded(KNOWN["sha512crypt of openssl passwd -6"][0])
    User.objects.filter(pk=person.pk).update(password=old)
    first = User.objects.get()
    User.objects.get().set_password("x")
    User.objects.filter(pk=person.pk).update(password="the new one")
    assert first.check_password(KNOWN["sha512crypt of openssl passwd -6"][1])
    assert User.objects.get().password == "the new one"


@pytest.mark.django_db
def test_what_was_not_normalised_elsewhere_is_still_their_password():
    import hashlib
    from base64 import b64encode

    password = "a\u0301 pass phrase of somebody"  # NFD
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt" * 4, 1000)
    export = {
        "algorithm": "pbkdf2",
        "digest": "sha256",
        "iterations": 1000,
        "salt": b64encode(b"salt" * 4).decode(),
        "hash": b64encode(made).decode(),
    }
    person = make_person()
    User.objects.filter(pk=person.pk).update(password=hashers.encoded(export))
    person.refresh_from_db()
    assert person.check_password(password)
    assert person.check_password("\u00e1 pass phrase of somebody")  # ours by now: NFKC


@pytest.mark.parametrize(
    "export",
    [
        "", "plain text", "$1$salt$hash", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "$2b$31$" + "a" * 53, "$2b$12$short", None, 5, [], {},
        {"algorithm": "pbkdf2"}, {"algorithm": "md5", "salt": "", "hash": ""}, {"algorithm": "scrypt", "n": 2**30, "r": 8, "p": 1, "salt": "c2E=", "hash": "c2FsdHNhbHRzYWx0c2FsdA=="},
        {"algorithm": "scrypt", "n": "x", "r": 8, "p": 1, "salt": "c2E=", "hash": "c2E="}, {"algorithm": "pbkdf2", "digest": "md5", "iterations": 1, "salt": "c2E=", "hash": "c2FsdHNhbHRzYWx0c2FsdA=="},
        {"algorithm": "pbkdf2", "digest": "sha256", "iterations": 10**9, "salt": "c2E=", "hash": "c2FsdHNhbHRzYWx0c2FsdA=="},
        "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "$6$rounds=999999999$salt$" + "a" * 86, "pbkdf2_sha256$999999999$salt$c2E=",
        "$scrypt$ln=30,r=8,p=1$c2FsdA$c2FsdA", "$2b$12$" + "é" * 53, "!", "argon2$$argon2id$", "\x00", "x" * 10_000,
    ],
)  # fmt: skip
def test_what_cannot_be_checked_or_costs_too_much_is_refused_without_repeating_it(export):
    with pytest.raises(hashers.Unknown) as raised:
        hashers.encoded(export)
    assert "salt" not in str(raised.value)


@pytest.mark.parametrize(
    ("setting", "password", "wanted"),
    [  # settings of the specification, answers of libxcrypt
        ("$5$saltstring", "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        (
            "$5$rounds=10000$saltstringsaltstring",
            "Hello world!",
            "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA",
        ),
        (
            "$6$saltstring",
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
    ],
)
def test_sha_crypt_as_specified(setting, password, wanted):
    assert sha_crypt.crypt(password, setting) == wanted


def test_a_wrong_password_of_an_imported_person_costs_no_less_than_of_anybody(db, settings):
    """PW-01, by time: a cheap foreign hash must not give away that somebody is there."""
    from idp.accounts import authentication

    person = make_person()
    hashed = []
    User.objects.filter(pk=person.pk).update(password=hashers.encoded(KNOWN["bcrypt of the Python package"][0]))
    original = User.set_password
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(User, "set_password", lambda self, raw: (hashed.append(raw), original(self, raw)))
        authentication.attempt(None, identifier="ada@example.org", password="certainly not the password")
    assert hashed == ["certainly not the password"]
