from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "idp.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from .attributes import attributes

        attributes()  # a profile schema that is wrong stops the start, not the first sign-in
