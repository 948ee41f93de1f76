"""The product's settings with a shorter patience, so that a fault test need not wait for real leases and sweeps."""

from idp.settings import *  # noqa: F403
from idp.settings.background import CELERY_BEAT_SCHEDULE

DELIVERY_LEASE_SECONDS = 3
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_BEAT_SCHEDULE = {name: {**entry, "schedule": 1.0, "options": {"expires": 1}} for name, entry in CELERY_BEAT_SCHEDULE.items()}
