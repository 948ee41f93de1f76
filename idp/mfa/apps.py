from django.apps import AppConfig


class SecondFactorsConfig(AppConfig):
    name = "idp.mfa"
    label = "idp_mfa"  # not "mfa": that is the label of allauth's own app, which must stay installable beside this one
    default_auto_field = "django.db.models.BigAutoField"
