"""The web process: Django, with the thin door for hot protocol requests before it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "idp.settings")
django_application = get_wsgi_application()

from idp.oidc.doors.wsgi import door  # noqa: E402 - needs the apps to be loaded

application = door(django_application)
