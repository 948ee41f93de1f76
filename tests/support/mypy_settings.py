"""The settings that mypy's Django plugin loads: those of the tests, so that `mypy` needs no environment."""

from tests import environment

environment.apply()

from idp.settings import *  # noqa: E402, F403
