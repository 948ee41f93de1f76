from django.apps import AppConfig
from django.db.models.signals import post_migrate


class EventsConfig(AppConfig):
    name = "idp.events"
    label = "events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from idp.events import partitions

        post_migrate.connect(partitions.prepare, sender=self, dispatch_uid="events.partitions")
