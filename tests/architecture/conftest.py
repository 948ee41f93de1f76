"""The import graph of the product, built once per session."""

import grimp
import pytest


@pytest.fixture(scope="session")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("idp", include_external_packages=True, cache_dir=None)
