"""The product's settings, plus pages that are hard to reach by clicking (see specimens.py)."""

from idp.settings import *  # noqa: F403

ROOT_URLCONF = "tests.browser.specimens"
