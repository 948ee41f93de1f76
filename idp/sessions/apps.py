from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "idp.sessions"
    label = "op_sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from . import begin

        # Django's own seam between "who proved themselves" (accounts, below) and the session (here).
        def _begin(sender: object, request: object, user: object, **_: object) -> None:
            begin(request, user)  # type: ignore[arg-type]

        user_logged_in.connect(_begin, dispatch_uid="op_sessions.begin", weak=False)
