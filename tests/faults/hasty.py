"""The product's settings with a sweep every second and nothing else on the schedule, so that a fault test need not wait for it."""

from idp.settings import *  # noqa: F403
from idp.settings.background import CELERY_BEAT_SCHEDULE

CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_BEAT_SCHEDULE = {"deliver what is due": {**CELERY_BEAT_SCHEDULE["deliver what is due"], "schedule": 1.0, "options": {"expires": 15}}}
