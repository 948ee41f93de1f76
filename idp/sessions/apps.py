from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "idp.sessions"
    label = "op_sessions"
    default_auto_field = "django.db.models.BigAutoField"
