from django.apps import AppConfig


class SsfConfig(AppConfig):
    name = "idp.ssf"
    label = "ssf"
    default_auto_field = "django.db.models.BigAutoField"
