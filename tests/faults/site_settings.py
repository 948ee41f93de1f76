"""The product's own settings for the fault harness: nothing is hastier than in service; a door for the clients of the ledger is
added, and failpoints (`FAILPOINTS="before_send:0.01,…"`, a probability for each) that kill the process where it hurts most.
"""

import os

from idp.settings import *  # noqa: F403
from idp.settings.apps import INSTALLED_APPS as _APPS

ROOT_URLCONF = "tests.faults.site_urls"
INSTALLED_APPS = [*_APPS, "tests.faults.site_app.FaultsConfig"]
FAILPOINTS = {name: float(share) for name, _, share in (one.partition(":") for one in os.environ.get("FAILPOINTS", "").split(",")) if name}
