from django.apps import AppConfig
from django.core.checks import register


class OidcConfig(AppConfig):
    name = "idp.oidc"
    label = "oidc"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from .dot.checks import engine_is_the_one_we_know

        register(engine_is_the_one_we_know)
