"""What each request may cost in SQL, and what a whole sign-in may write. Event rows included."""

from __future__ import annotations

import re
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from idp.kernel import generations
from tests.support.browser import encoded
from tests.support.clauses import clause

# Whatever is not a statement of ours: transaction control is counted apart.
CONTROL = re.compile(r"(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)", re.IGNORECASE)
WRITE = re.compile(r"(INSERT|UPDATE|DELETE)", re.IGNORECASE)


class Cost:
    """Statements that are no transaction control, writes among them, transactions."""

    def __init__(self):
        self.statements, self.writes, self.transactions = [], [], 0


@contextmanager
def costs():
    """What the block costs in the steady state: caches are warm and were looked at less than half a second ago."""
    cost = Cost()
    generations.current("clients")
    with CaptureQueriesContext(connection) as captured:
        yield cost
    for query in captured.captured_queries:
        sql = query["sql"].lstrip()
        if CONTROL.match(sql):
            cost.transactions += sql.upper().startswith("BEGIN")
            continue
        if "kernel_generation" in sql:
            continue  # once per half second and process, not per request
        cost.statements.append(sql)
        if WRITE.match(sql):
            cost.writes.append(sql)


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(world):
    app = world.app()
    app.channel.get("/jwks")  # the key ring is loaded
    return app


def test_client_credentials(world):
    service = world.app("Robot", type="service")
    call = {"grant_type": "client_credentials"}
    service.call("/token", call)
    with costs() as cost:
        assert service.call("/token", call).status == 200
    assert cost.statements == []


def test_code_to_tokens(shop, ada, browser):
    code = shop.code(browser)
    with costs() as cost:
        assert shop.redeem(code).status == 200
    assert len(cost.statements) <= 4, cost.statements
    assert cost.transactions <= 1
    assert len(cost.writes) <= 3


def test_refresh(shop, ada, browser):
    token = shop.tokens(browser)["refresh_token"]
    with costs() as cost:
        assert shop.refresh(token).status == 200
    assert len(cost.statements) <= 4, cost.statements
    assert cost.transactions <= 1
    assert len(cost.writes) <= 2


def test_authorize_with_session_and_remembered_consent(shop, ada, browser):
    shop.code(browser)
    attempt = shop.begin()
    with costs() as cost:
        answer = browser.get(attempt.url)
    assert shop.arrive(answer)["code"]
    assert len(cost.statements) <= 5, cost.statements
    assert len(cost.writes) == 1


def test_userinfo(shop, ada, browser):
    token = shop.tokens(browser)["access_token"]
    with costs() as cost:
        assert shop.userinfo(token).status == 200
    assert len(cost.statements) <= 1, cost.statements
    assert cost.writes == []


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_introspection(shop, ada, browser, which):
    token = shop.tokens(browser)[which]
    with costs() as cost:
        assert shop.call("/introspect", {"token": token}).json()["active"] is True
    assert len(cost.statements) <= 1, cost.statements
    assert cost.writes == []


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks"])
def test_public_documents(shop, browser, path):
    with costs() as cost:
        assert browser.get(path).status == 200
    assert cost.statements == []


def test_too_large_costs_nothing(shop):
    """Hostile case PX-05."""
    with costs() as cost:
        assert shop.call("/token", {"grant_type": "x" * 100_000}).status == 413
        assert shop.channel.get(f"/authorize?{encoded({'client_id': 'x' * 100_000})}").status == 413
    assert cost.statements == []


def row_counts():
    with connection.cursor() as cursor:
        counts = {}
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            counts[table] = cursor.fetchone()[0]
    return counts


def test_a_whole_sign_in_with_code_flow_leaves_at_most_six_rows(world, shop, ada, browser):
    """Interaction, session, code, family, and two events; the password attempt's reservation is taken back (hostile case PW-10).

    In a browser that is known: in a new one a mail is a row more.
    """
    shop.code(browser)
    before = row_counts()
    known = world.browser()
    known.cookies = {name: value for name, value in browser.cookies.items() if name.endswith("kairos_known")}
    assert shop.redeem(shop.code(known)).status == 200
    grown = {table: count - before[table] for table, count in row_counts().items() if count != before[table]}
    assert sum(grown.values()) <= 6, grown


def test_the_engines_tables_stay_empty(shop, ada, browser):
    """Design: the engine's five token tables are never written (ARCHITECTURE.md section 5)."""
    from django.apps import apps

    tokens = shop.tokens(browser, scope="openid offline_access")
    tokens = shop.refresh(tokens["refresh_token"]).json()
    shop.userinfo(tokens["access_token"])
    shop.call("/introspect", {"token": tokens["access_token"]})
    shop.call("/revoke", {"token": tokens["refresh_token"]})
    tables = [model._meta.db_table for model in apps.get_app_config("oauth2_provider").get_models() if model._meta.managed]
    assert {"oauth2_provider_accesstoken", "oauth2_provider_grant", "oauth2_provider_idtoken", "oauth2_provider_refreshtoken"} <= set(
        tables
    )
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            assert cursor.fetchone() == (0,), table


@clause("CO-06", "RF-13")
def test_no_secret_is_stored_in_clear(shop, ada, browser):
    """Nothing in any table is a code, a token, a verifier, a secret or a cookie."""
    code = shop.code(browser, scope="openid offline_access")
    tokens = shop.redeem(code).json()
    shop.redeem("x" * 43)  # a refusal is recorded too
    shop.refresh(tokens["refresh_token"] + "x")
    secrets = [
        code,
        shop.last.verifier,
        shop.secret,
        tokens["access_token"],
        tokens["refresh_token"],
        tokens["id_token"],
        *browser.cookies.values(),
    ]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            content = repr([[bytes(cell) if isinstance(cell, memoryview) else cell for cell in row] for row in cursor.fetchall()])
            for secret in secrets:
                assert secret not in content, table
