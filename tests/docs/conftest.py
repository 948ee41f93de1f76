from collections.abc import Iterator

import pytest

from tests.support.provider import Provider, embedded


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Provider]:
    with embedded(tmp_path_factory.mktemp("provider")) as running:
        yield running
