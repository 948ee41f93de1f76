from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "idp.admin"
    label = "staff"
    default_auto_field = "django.db.models.BigAutoField"
