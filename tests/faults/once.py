"""RC-05 over HTTP: many hands with one single-use thing at the same moment, against four web processes on PostgreSQL."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.faults.site import CANARY, Site
from tests.support import servers
from tests.support.browser import Answer, Browser

if TYPE_CHECKING:
    from idp.accounts.models import User
    from tests.support.rp import RelyingParty

PASSWORD, NEW_PASSWORD = f"{CANARY} correct horse", f"{CANARY} battery staple"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Hands:
    """The things that count once, each as a function that spends one of them with many hands; it returns who won."""

    def __init__(self, here: Site, stack: ExitStack) -> None:
        self.here = here
        self.errors: list[str] = []  # what met a 5xx
        self.no_answers = 0
        self.counting = threading.Lock()
        os.environ.update({name: value for name, value in here.environ.items() if name.startswith(("IDP_", "DJANGO_"))})
        import django

        django.setup()  # here as well: what a mail would say, and what only a database holds, is read and made by the product's own functions
        from idp.federation import upstreams
        from idp.oidc.clients import registry
        from tests.support.client_keys import ec_key, jwks
        from tests.support.rp import RelyingParty
        from tests.support.upstream import fake_upstream

        assert here.change(here.web_ports[0], do="create", email="ada@example.org", password=PASSWORD)
        made = json.loads(servers.manage(here.environ, "client", "create", "Shop", "--redirect-uri", "https://shop.example/cb", "--json"))
        registration = {"token_endpoint_auth_method": "client_secret_basic", **made}
        self.shops = [RelyingParty(registration, here.browser(port), redirect_uri="https://shop.example/cb") for port in here.web_ports]
        self.browser = here.browser()
        self.shops[0].sign_in(self.browser, email="ada@example.org", password=PASSWORD)
        self.service, _ = registry.create(
            {"client_name": "Robot", "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(ec_key())}, type="service"
        )
        self.corp = stack.enter_context(fake_upstream())
        upstreams.add(name="corp", issuer=self.corp.issuer, client_id=self.corp.client_id, secret=self.corp.client_secret, label="Corp")

    def shop(self, hand: int) -> RelyingParty:
        return self.shops[hand % len(self.shops)]

    def person(self, name: str) -> User:
        from idp.accounts import people

        return people.create(email=f"{name}@example.org", method="command", password=PASSWORD, verified=True)

    # --- what counts once

    def authorization_code(self, number: int) -> list[bool]:
        """RFC 6749 4.1.2."""
        code, attempt = self.shops[0].code(self.browser), self.shops[0].last
        return self.race(50, lambda hand: self.shop(hand).redeem(code, attempt).status == 200)

    def refresh_token(self, number: int) -> list[bool]:
        """RFC 9700 4.14.2: parallel tabs get the same successor; each further one would be a second winner."""
        token = self.shops[0].tokens(self.browser)["refresh_token"]
        lock, successors = threading.Lock(), set()

        def refresh(hand: int) -> bool:
            answer = self.shop(hand).refresh(token)
            if answer.status != 200:
                return False
            with lock:
                new = answer.json()["refresh_token"] not in successors
                successors.add(answer.json()["refresh_token"])
            return new

        return self.race(50, refresh)

    def client_assertion(self, number: int) -> list[bool]:
        """RFC 7523 3 (7): one `jti`."""
        from tests.support.client_keys import assertion, ec_key, signed

        token = signed(ec_key(), assertion(self.service.client_id, self.here.issuer))
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": token}
        browsers = [self.anybody(hand) for hand in range(50)]
        return self.race(50, lambda hand: browsers[hand].post("/token", form).status == 200)

    def new_address(self, number: int) -> list[bool]:
        """One account for one address."""
        address = f"same{number}@example.org"
        return self.race(20, lambda hand: self.here.change(self.port(hand), do="create", email=address) is not None)

    def sign_up_code(self, number: int) -> list[bool]:
        """The code that makes an account, in the browser that asked for it."""
        from idp.accounts import proofs
        from idp.accounts.models import AddressProof

        browser, address = self.anybody(0), f"signs-up{number}@example.org"
        page = browser.follow(browser.submit(browser.get("/signup"), button="signup-submit", email=address, password=PASSWORD))
        proof = AddressProof.objects.get(address=address)
        AddressProof.objects.filter(pk=proof.pk).update(code=proofs._digest(proof.pk, "123456"))
        return self.tabs(20, browser, page, "verify-submit", "/account", code="123456")

    def reset_link(self, number: int) -> list[bool]:
        """The link that gives a new password."""
        from idp.accounts import recovery

        token = recovery.token_for(self.person(f"forgot{number}"))
        browser = self.anybody(0)
        page = browser.visit(f"/password/reset?token={token}")
        return self.tabs(20, browser, page, "reset-submit", "done=reset", password=NEW_PASSWORD)

    def authenticator_code(self, number: int) -> list[bool]:
        """RFC 6238 5.2: one time step."""
        from tests.support.authenticator import enrol

        app = enrol(self.person(f"totp{number}"))
        return self.second_factor(f"totp{number}@example.org", app.code)

    def recovery_code(self, number: int) -> list[bool]:
        """One of the ten."""
        from idp.mfa import factors
        from tests.support.authenticator import enrol

        person = self.person(f"codes{number}")
        enrol(person)
        code = factors.make_codes(person, request=type("Request", (), {"session": None})())[0]
        return self.second_factor(f"codes{number}@example.org", lambda: code)

    def passkey_challenge(self, number: int) -> list[bool]:
        """WebAuthn L3 13.4.3."""
        from tests.support.security_key import add_key

        held, _key = add_key(self.person(f"passkey{number}"))
        browser = self.anybody(0)
        fields = browser.get("/login").form(having="login-submit").fields
        asked = browser.post("/login/passkey/options", fields, Origin=self.here.issuer).json()
        form = {**fields, "state": asked["state"], "answer": json.dumps(held.get(asked["options"]))}
        tabs = [self.copy(browser, hand) for hand in range(20)]
        return self.race(20, lambda hand: tabs[hand].post("/login/passkey", form, Origin=self.here.issuer).status == 302)

    def upstream_state(self, number: int) -> list[bool]:
        """OIDC Core 3.1.2.7: one answer of another provider."""
        self.corp.person = {"sub": f"u-{number}", "email": f"elsewhere{number}@example.org", "email_verified": True}
        browser = self.anybody(0)
        page = browser.get("/login").form(having="login-submit")
        left = browser.post("/federation/corp/start", page.fields, Origin=self.here.issuer)
        refresh = left.header("Refresh") or ""
        back = self.corp.arrive(refresh.removeprefix("0; url="))
        tabs = [self.copy(browser, hand) for hand in range(20)]
        return self.race(20, lambda hand: tabs[hand].get(f"/federation/corp/callback?{urlencode(back)}").status == 302)

    # --- the winner dies before it answers

    def code_of_a_dead_winner(self) -> tuple[int, bool]:
        """How many got tokens, and whether the code is still good afterwards."""
        code, attempt = self.shops[0].code(self.browser), self.shops[0].last
        with self.dying():
            won = self.race(10, lambda hand: self.shop(hand).redeem(code, attempt).status == 200)
        return sum(won), self.shops[0].redeem(code, attempt).status == 200

    def refresh_token_of_a_dead_winner(self) -> tuple[int, bool]:
        """How many successors there are, asked again afterwards as an app does that got no answer, and whether the app can go on."""
        token = self.shops[0].tokens(self.browser)["refresh_token"]
        lock, successors = threading.Lock(), set()

        def refresh(hand: int) -> bool:
            answer = self.shop(hand).refresh(token)
            if answer.status == 200:
                with lock:
                    successors.add(answer.json()["refresh_token"])
            return answer.status == 200

        with self.dying():
            self.race(10, refresh)
        return len(successors | {""}) - 1, refresh(0)

    @contextmanager
    def dying(self) -> Iterator[None]:
        """Meanwhile every fourth process that would answer with tokens kills itself instead; afterwards all are back."""
        self.here.failpoints(on=True)
        try:
            yield
        finally:
            self.here.failpoints(on=False)
            self.here.ensure()

    # --- hands

    def port(self, hand: int) -> int:
        return self.here.web_ports[hand % len(self.here.web_ports)]

    def anybody(self, hand: int) -> Browser:
        return self.here.browser(self.port(hand))

    def copy(self, browser: Browser, hand: int) -> Browser:
        """The same browser, at another web master."""
        tab = self.anybody(hand)
        tab.cookies = dict(browser.cookies)
        return tab

    def tabs(self, count: int, browser: Browser, page: Answer, button: str, leads_to: str, **values: str) -> list[bool]:
        """One page, sent by so many tabs of one browser; who is led to where it should lead has won."""
        tabs = [self.copy(browser, hand) for hand in range(count)]

        def send(hand: int) -> bool:
            answer = tabs[hand].submit(page, button=button, **values)
            return answer.status == 302 and leads_to in answer.location

        return self.race(count, send)

    def second_factor(self, address: str, code: Callable[[], str]) -> list[bool]:
        """Ten browsers in which the password was right, and one code."""
        browsers = [self.anybody(hand) for hand in range(10)]

        def sign_in(hand: int) -> Answer:
            page = browsers[hand].get("/login")
            return browsers[hand].follow(browsers[hand].submit(page, button="login-submit", login=address, password=PASSWORD))

        # More right passwords of one account at the same moment than it has guesses would have to wait for each other.
        with ThreadPoolExecutor(3) as pool:
            pages = list(pool.map(sign_in, range(10)))
        one = code()
        return self.race(10, lambda hand: browsers[hand].submit(pages[hand], button="second-factor-submit", code=one).status == 302)

    def race(self, count: int, work: Callable[[int], bool]) -> list[bool]:
        """All hands at the same moment. One that met a 5xx, or got no answer, has not won and is counted."""
        barrier = threading.Barrier(count)

        def run(hand: int) -> bool:
            barrier.wait(30)
            try:
                return work(hand)
            except AssertionError as error:
                if not str(error).startswith("5"):  # the browser's "never a 5xx" begins with the status
                    raise
                with self.counting:
                    self.errors.append(str(error)[:160])
            except OSError:
                with self.counting:
                    self.no_answers += 1
            return False

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(run, range(count)))


# Thing -> who had to be left in the database for it after so many rounds: the statement, counted.
THINGS: dict[str, str] = {
    "authorization_code": "",
    "refresh_token": "SELECT count(*) FROM oidc_token_family WHERE revoked_at IS NULL AND generation = 1",
    "client_assertion": "",
    "new_address": "SELECT count(*) FROM accounts_user WHERE email LIKE 'same%'",
    "sign_up_code": "SELECT count(*) FROM accounts_user WHERE email LIKE 'signs-up%'",
    "reset_link": "SELECT count(*) FROM events_eventrecord WHERE name = 'account.recovered'",
    "authenticator_code": "",
    "recovery_code": "SELECT count(*) FROM events_eventrecord WHERE name = 'factor.recovery_code_used'",
    "passkey_challenge": "SELECT count(*) FROM events_eventrecord WHERE name = 'sign_in.succeeded' AND data::text LIKE '%\"pop\"%'",
    "upstream_state": "SELECT count(*) FROM accounts_user WHERE email LIKE 'elsewhere%'",
}


def rounds(here: Site, count: int, tell: Callable[[str], None], *, deaths: int = 10) -> dict[str, Any]:
    """So many rounds of each; `clean` = one winner in each, and the database says the same. Then rounds in which the winner dies."""
    here.failpoints(on=False)
    with ExitStack() as stack:
        hands = Hands(here, stack)
        winners: dict[str, list[int]] = {}
        left: dict[str, int] = {}
        for thing, statement in THINGS.items():
            each = [sum(getattr(hands, thing)(number)) for number in range(count)]
            winners[thing] = sorted(set(each))
            if statement:
                left[thing] = here.sql(statement)[0][0]
            tell(f"{thing}: winners {winners[thing]}, rows {left.get(thing, '-')}, 5xx {len(hands.errors)} {hands.errors[-1:]}")
        errors, no_answers = list(hands.errors), hands.no_answers
        codes = [hands.code_of_a_dead_winner() for _ in range(deaths)]
        tokens = [hands.refresh_token_of_a_dead_winner() for _ in range(deaths)]
        twice = here.sql("SELECT count(*) FROM oidc_token_family WHERE generation > 1")[0][0]
        tell(f"the winner dies: {codes} {tokens} {twice}")
    died = {
        "rounds": deaths,
        "codes_redeemed_twice": sum(won > 1 or (again and won > 0) for won, again in codes),
        "most_successors": max((count for count, _ in tokens), default=0),
        "families_that_went_on_twice": twice,
        "apps_that_could_go_on": sum(again for _, again in tokens),
    }
    return {
        "rounds": count,
        "winner_dies": died,
        "winners": winners,
        "rows_left": left,
        "server_errors": len(errors),
        "errors": sorted(set(errors))[:5],
        "no_answers": no_answers,
        "clean": all(found == [1] for found in winners.values())
        and set(left.values()) == {count}
        and not errors
        and not died["codes_redeemed_twice"]
        and died["most_successors"] <= 1
        and not twice
        and died["apps_that_could_go_on"] == deaths,
    }
