from django.apps import AppConfig


class SignInConfig(AppConfig):
    name = "idp.signin"
    label = "signin"
    default_auto_field = "django.db.models.BigAutoField"
