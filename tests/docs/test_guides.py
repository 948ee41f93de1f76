"""Each guide in docs/, followed as written by a reader with an empty folder, against a running provider."""

import os
import re
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.app_in_browser import AppInBrowser
from tests.support.authenticator import App
from tests.support.chromium import allow_until, sign_in, sign_out
from tests.support.landing import landing
from tests.support.provider import Provider, embedded
from tests.support.servers import child, need
from tests.support.upstream import FakeUpstream, fake_upstream

from .guide import Guide, answers

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.chromium, pytest.mark.slow, pytest.mark.embedded]


def test_quick_start(provider: Provider, tmp_path: Path):
    guide = Guide("quick-start.md", provider, tmp_path)
    guide.follow()
    person, client, listed = guide.answers
    assert person["sub"]
    assert client["client_secret"]
    assert client["client_id"] in listed


def test_people_and_passwords(provider: Provider, tmp_path: Path):
    guide = Guide("people-and-passwords.md", provider, tmp_path)
    guide.follow()
    created, shown = guide.answers
    assert created["email"] == "ben@example.org"
    assert created["sub"] in shown


@pytest.mark.needs("curl")
def test_sign_in_with_other_providers(page: Page, tmp_path: Path):
    with embedded(tmp_path / "data", settings={"IDP_OUTBOUND_ALLOW": "localhost"}) as provider:
        (tmp_path / "reader").mkdir()
        guide = Guide("sign-in-with-other-providers.md", provider, tmp_path / "reader")
        with fake_upstream(guide.ports["3000"], host="localhost") as other:
            other.client_secret = "the-secret-it-gave-you"
            sdk = guide.folder / "sdk"
            sdk.write_text(f'#!/bin/sh\nexec curl --silent --fail "{other.issuer}/sdk?nonce=$1"\n')
            sdk.chmod(0o755)
            printed = guide.follow()
            added, tested, led, posted, app, shop = guide.answers
            assert added["redirect_uri"] == f"{provider.issuer}/federation/work/callback"
            assert tested["works"] is True
            assert (led["domains"], led["button"]) == (["example.org"], False)
            assert posted["posted_tokens"] is True
            assert app["client_id"] == "phone"
            assert shop["client_id"] == "shop"
            assert '"access_token"' in printed
            one_tap_of_an_app(guide, other)
            one_tap_at_the_provider(page, guide, other)
            page.context.clear_cookies()
            page.goto(f"{provider.issuer}/login")
            page.fill("#id_login", "ada@example.org")
            page.press("#id_login", "Enter")
            page.wait_for_url(f"{provider.issuer}/account")


def one_tap_of_an_app(guide: Guide, other: FakeUpstream) -> None:
    """The app's page carries the nonce; its server takes what Google's script would post, from there only, once."""
    shop = f"http://localhost:{guide.ports['3001']}"
    with guide.serving(), httpx.Client(base_url=shop, cookies={"g_csrf_token": "t"}, trust_env=False) as browser:
        for _ in range(300):
            if answers(shop):
                break
            time.sleep(0.1)
        nonce = re.findall(r'data-nonce="([^"]+)"', browser.get("/").text)[0]
        form = {"credential": other.id_token(nonce), "g_csrf_token": "t"}
        assert browser.post("/one-tap", data={**form, "g_csrf_token": "x"}).status_code == 403
        assert browser.post("/one-tap", data=form).text.startswith("Hello, ")


def one_tap_at_the_provider(page: Page, guide: Guide, other: FakeUpstream) -> None:
    """The script of the guide, with Google's own replaced by one that answers like it."""
    page.expose_function("credential_for", other.id_token)
    page.goto(f"{guide.provider.issuer}/login")
    google = """
        let told;
        const id = {initialize: (asked) => { told = asked; }, prompt: async () => told.callback({credential: await credential_for(told.nonce)})};
        const google = {accounts: {id}};
    """
    page.evaluate(f"(async () => {{ {google} {(guide.folder / 'welcome.js').read_text()} }})()")
    page.wait_for_url(f"{guide.provider.issuer}/account/apps")


@pytest.mark.needs("curl")
def test_connect_a_service(provider: Provider, tmp_path: Path):
    guide = Guide("connect-a-service.md", provider, tmp_path)
    printed = guide.follow()
    assert '"access_token"' in printed  # curl
    assert printed.strip().splitlines()[-1] == guide.answers[0]["client_id"]  # check.py


def sign_in_through(page: Page, provider: Provider, app: str, path: str = "/") -> dict[str, str]:
    person = provider.add_person()
    page.goto(app + path)
    if (button := page.locator("#sign-in")).count():
        button.click()
    sign_in(page, email=person["email"])
    allow_until(page, app)
    return person


def test_step_up(provider: Provider, tmp_path: Path, page: Page):
    """RFC 9470: the API's challenge leads through the second step to a token that is strong enough."""
    guide = Guide("step-up.md", provider, tmp_path)
    guide.follow()
    person = provider.add_person()
    with guide.serving() as api, landing(int(guide.ports["3001"])) as callback:
        bank = AppInBrowser(provider.issuer, guide.answers[0], f"{callback.url}/callback")

        def call(method: str, path: str, token: str) -> httpx.Response:
            return httpx.request(method, f"{api}{path}", headers={"Authorization": f"Bearer {token}"}, trust_env=False)

        page.goto(bank.ask(resource=api))
        sign_in(page, email=person["email"])
        token = bank.arrived(page, resource=api)["access_token"]
        assert call("GET", "/balance", token).json() == {"balance": 12}
        assert call("GET", "/balance", token + "x").status_code == 401
        answer = call("POST", "/transfer", token)
        challenge = answer.headers["WWW-Authenticate"]
        assert (answer.status_code, 'error="insufficient_user_authentication"' in challenge) == (401, True)
        wanted = dict(re.findall(r'(acr_values|max_age)="([^"]+)"', challenge))
        assert wanted == {"acr_values": "urn:kairos:acr:mfa", "max_age": "300"}

        # Meanwhile, in another window, the person sets up an authenticator app; this session knows nothing of it.
        browser = page.context.browser
        assert browser is not None
        window = browser.new_context(base_url=provider.issuer).new_page()
        window.goto("/login?next=/account/security/authenticator")
        sign_in(window, email=person["email"])
        window.locator("summary").filter(has_text="Cannot scan it?").click()
        app = App(window.inner_text("#manual-key"))
        used = app.code()
        window.fill("#id_code", used)
        window.click("#authenticator-submit")
        window.wait_for_selector("#codes")
        code = window.locator("#codes li").first.inner_text()
        window.context.close()

        page.goto(bank.ask(resource=api, **wanted))
        page.locator("#second-factor-submit").wait_for()
        page.fill("#id_code", code)
        page.click("#second-factor-submit")
        token = bank.arrived(page, resource=api)["access_token"]
        assert call("POST", "/transfer", token).json() == {"sent": True}


def refresh_and_sign_out(page: Page, app: str, person: dict[str, str]) -> None:
    expect(page.locator("#who")).to_have_text(person["email"])
    page.goto(app + "/profile")
    expect(page.locator("body")).to_contain_text(person["sub"])
    page.goto(app + "/")
    page.locator("#sign-out").click()
    sign_out(page)
    page.wait_for_url(f"{app}/**")
    expect(page.locator("#sign-in")).to_be_visible()


def test_authlib(provider: Provider, tmp_path: Path, page: Page):
    guide = Guide("connect-an-app/authlib.md", provider, tmp_path)
    guide.follow()
    with guide.serving() as app:
        person = sign_in_through(page, provider, app)
        refresh_and_sign_out(page, app, person)


@pytest.mark.needs("node", "npm")
def test_openid_client(provider: Provider, tmp_path: Path, page: Page):
    guide = Guide("connect-an-app/openid-client.md", provider, tmp_path)
    guide.follow()
    with guide.serving() as app:
        person = sign_in_through(page, provider, app)
        refresh_and_sign_out(page, app, person)


@pytest.mark.needs("node", "npm")
def test_authjs_nextjs(provider: Provider, tmp_path: Path, page: Page):
    guide = Guide("connect-an-app/authjs-nextjs.md", provider, tmp_path)
    guide.follow()
    with guide.serving() as app:
        person = sign_in_through(page, provider, app)
        expect(page.locator("#who")).to_have_text(person["email"])
        page.locator("#sign-out").click()
        expect(page.locator("#sign-in")).to_be_visible()


@pytest.mark.needs("apache2")
def test_mod_auth_openidc(provider: Provider, tmp_path: Path, page: Page):
    guide = Guide("connect-an-app/mod_auth_openidc.md", provider, tmp_path)
    guide.follow()
    tmp_path.chmod(0o755)
    content = tmp_path / "site"
    (content / "protected").mkdir(parents=True)
    (content / "protected" / "index.shtml").write_text(
        '<b id="who"><!--#echo var="OIDC_CLAIM_email" --></b> <i id="key"><!--#echo var="REMOTE_USER" --></i>'
    )
    server = tmp_path / "apache.conf"
    server.write_text(APACHE.format(folder=tmp_path, content=content, port=guide.ports["3000"]))
    with child("apache", [need("apache2"), "-X", "-f", server]) as apache:
        apache.wait_until(lambda: answers(guide.app))
        person = sign_in_through(page, provider, guide.app, "/protected/index.shtml")
        expect(page.locator("#who")).to_have_text(person["email"])
        expect(page.locator("#key")).to_have_text(person["sub"])


# What Debian's package sets up around the guide's own lines: modules, a server on loopback, a page that shows what it was given.
APACHE = """
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
ServerRoot /usr/lib/apache2
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_user_module modules/mod_authz_user.so
LoadModule authn_core_module modules/mod_authn_core.so
LoadModule mime_module modules/mod_mime.so
LoadModule include_module modules/mod_include.so
LoadModule auth_openidc_module modules/mod_auth_openidc.so
TypesConfig /etc/mime.types
DocumentRoot {content}
<Directory {content}>
    Require all granted
    Options +Includes
    AddType text/html .shtml
    AddOutputFilter INCLUDES .shtml
</Directory>
Include {folder}/openidc.conf
"""


@pytest.mark.needs("oauth2-proxy", optional="built by Go 1.25 or newer, which Debian 12 does not package")
def test_oauth2_proxy(provider: Provider, tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", f"{need('oauth2-proxy').parent}:{os.environ['PATH']}")
    guide = Guide("connect-an-app/oauth2-proxy.md", provider, tmp_path)
    guide.follow()
    with landing(int(guide.ports["3001"]), text="the dashboard") as dashboard, guide.serving() as app:
        person = provider.add_person()
        page.goto(app + "/hello")
        sign_in(page, email=person["email"])
        allow_until(page, app)
        expect(page.locator("body")).to_contain_text("the dashboard")
    assert dashboard.seen[-1]["X-Forwarded-User"] == person["sub"]
    assert dashboard.seen[-1]["X-Forwarded-Email"] == person["email"]
