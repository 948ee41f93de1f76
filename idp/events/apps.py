from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "idp.events"
    label = "events"
    default_auto_field = "django.db.models.BigAutoField"
