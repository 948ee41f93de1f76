"""The paused request: what a person must still do before an app gets its answer.

A request that needs a person is stored here, bound to the browser that started it by a cookie. Pages get only its id;
each step, once done, returns to `Interaction.resume_url`, where the dispatcher decides what comes next from stored state.
"""

from __future__ import annotations

__all__ = ["ClientCard", "Expired", "ForeignBrowser", "Interaction", "begin", "load"]


def __getattr__(name: str) -> object:  # models must not be imported before the apps are ready
    if name in __all__:
        from . import paused

        return getattr(paused, name)
    raise AttributeError(name)
