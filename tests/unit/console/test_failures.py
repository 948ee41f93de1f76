"""The page for what must never happen has a reference that the log knows, and needs nothing that could be broken."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import path

from idp import urls

handler500 = urls.handler500


def broken(request):
    raise RuntimeError("as a test")


urlpatterns = [path("broken", broken)]


@pytest.mark.urls(__name__)
def test_the_reference_is_the_request_id():
    # No database mark: a query would fail the test.
    answer = Client(raise_request_exception=False).get("/broken")
    assert answer.status_code == 500
    page = answer.content.decode()
    assert answer["X-Request-ID"] in page
    assert "as a test" not in page
    assert 'id="error-page"' in page
