"""Celery tasks of the protocol floor."""

from __future__ import annotations

from celery import shared_task

from idp.oidc.keys import rotation


@shared_task(expires=600)  # type: ignore[untyped-decorator]
def rotate_due_keys() -> None:
    rotation.rotate_due()
