"""Two schedulers replace a key that is due once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp.kernel.clock import now
from idp.oidc.keys import rotation
from idp.oidc.models import SigningKey
from tests.races.test_delivery import in_parallel


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_due_is_replaced_once() -> None:
    SigningKey.objects.all().delete()
    rotation.ensure("ES256")
    SigningKey.objects.update(activates_at=now() - timedelta(days=1000))
    assert in_parallel(rotation.rotate_due) == []
    assert SigningKey.objects.filter(retires_at=None).count() == 1
    assert SigningKey.objects.count() == 2
