"""Celery, outbox receivers, clean-up, cache and mail."""

from typing import Any
from urllib.parse import unquote, urlsplit

from . import IDP

_redis = IDP.redis_url.get_secret_value()

# Celery: one app, the same tasks embedded (memory broker, worker in the process) and on Redis.
TASK_APP = "idp.celery.app"
CELERY_BROKER_URL = _redis or "memory://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"visibility_timeout": 3600, "socket_timeout": 5, "socket_connect_timeout": 2} if _redis else {"polling_interval": 0.1}
)
# The wake-up after a commit gives up at once: the sweep finds the row (reliability contract, rule 5).
WAKE_UP_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"socket_timeout": 0.25, "socket_connect_timeout": 0.25, "max_retries": 1, "interval_start": 0} if _redis else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # workers wait for Redis to come back, however long it takes
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "kairos"

# What beat starts, and how often (seconds). Every task here may run twice at the same moment without harm; what nobody took
# before the next tick expires, so that a stopped worker does not come back to a pile of sweeps.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # in memory: the schedule is this table, there is no state to lose
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "deliver what is due": {"task": "idp.notifications.tasks.deliver_due", "schedule": 5.0, "options": {"expires": 5}},
    "sign of life": {"task": "idp.operations.tasks.beat_heart", "schedule": 30.0, "options": {"expires": 30}},
    "seal the event log": {"task": "idp.audit.tasks.seal", "schedule": 10.0, "options": {"expires": 10}},
    "clean up": {"task": "idp.notifications.tasks.clean_up", "schedule": 60.0, "options": {"expires": 60}},
    "months of the event log": {"task": "idp.notifications.tasks.keep_log_in_order", "schedule": 3600.0, "options": {"expires": 3600}},
    "replace signing keys that are due": {"task": "idp.oidc.tasks.rotate_due_keys", "schedule": 600.0, "options": {"expires": 600}},
}

# Each deletes (or empties) one bounded batch of expired rows and returns how many; beat calls them every minute until 0.
CLEANERS = [
    "idp.notifications.cleaning.empty_expired_payloads",
    "idp.notifications.cleaning.delete_finished_deliveries",
    "idp.kernel.limits.clean",
    "idp.interactions.paused.delete_expired",
    "idp.sessions.delete_expired",
    "idp.oidc.issuance.codes.delete_expired",
    "idp.oidc.issuance.families.delete_expired",
    "idp.oidc.issuance.families.delete_idle",
    "idp.oidc.revocation.denied.delete_expired",
    "idp.oidc.client_auth.assertion.delete_expired",
    "idp.oidc.client_sessions.participants.delete_expired",
    "idp.oidc.registration.tokens.delete_expired",
    "idp.oidc.registration.endpoint.delete_unused",
    "idp.oidc.explain.record.delete_expired",
    "idp.audit.retention.cut_expired",
    "idp.ssf.polling.delete_expired",
    "idp.accounts.proofs.delete_expired",
    "idp.accounts.address_change.delete_expired",
    "idp.accounts.erasure.erase_due",
    "idp.console.export.delete_expired",
    "idp.accounts.lockout.delete_expired",
    "idp.mfa.webauthn.ceremonies.delete_expired",
    "idp.federation.flow.delete_expired",
    "idp.mfa.trust.delete_expired",
    "idp.accounts.people.delete_never_verified",
    "idp.accounts.invitations.delete_expired",
]

# Records that a command runs which may change something (kernel/commands.py): function(name of the command).
COMMAND_RECORDER = "idp.events.operator.record"

# What is forgotten with a person beside the tables of their account, in this order: function(sub, addresses). See accounts/erasure.py.
ERASERS = [
    "idp.operations.erasing.sessions",
    "idp.operations.erasing.log",
    "idp.operations.erasing.messages",
    "idp.operations.erasing.paused_requests",
    "idp.operations.erasing.signals",
    "idp.operations.erasing.staff_log",
    "idp.accounts.erasure.forget_proofs",
]

# The parts of the file with a person's data: function(user) -> (title, data). See console/export.py.
EXPORTERS = [f"idp.console.export.{part}" for part in ("account", "profile", "addresses", "ways_to_sign_in", "devices", "apps", "activity")]

# A worker that claimed a row and died: the row comes due again after so long. Longer than any receiver may take (each has its
# own time-out of seconds), short enough that the mail of somebody who waits is still of use.
DELIVERY_LEASE_SECONDS = 30

# Who delivers the outbox rows: receiver name -> function(delivery id, payload), see idp/notifications/receivers/__init__.py.
RECEIVERS = {
    "mail": "idp.notifications.receivers.mail.deliver",
    "sms": "idp.notifications.receivers.sms.deliver",
    "backchannel_logout": "idp.oidc.logout.back_channel.deliver",
    "ssf_push": "idp.ssf.push.deliver",
    "data_export": "idp.console.export.deliver",
}

# Who may want events: receiver name -> an object, see idp/notifications/receivers/__init__.py. What they want leaves in order per
# person (idp/events/fanout.py, idp/notifications/lanes.py).
EVENT_RECEIVERS: dict[str, str] = {
    "agent": "idp.notifications.receivers.agent.RECEIVER",
    "webhook": "idp.notifications.receivers.webhook.RECEIVER",
    "sessions_over": "idp.oidc.logout.sessions_over.RECEIVER",
    "ssf": "idp.ssf.receiver.RECEIVER",
}
# Makes the access token with which we call a service of our own: audience -> token.
OWN_ACCESS_TOKEN = "idp.oidc.issuance.own_token.own_access_token"

if _redis:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": _redis,
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},  # a Redis that hangs must not hold a request
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def mail_settings(url: str) -> dict[str, Any]:
    """Django's EMAIL_* settings from `smtp://`, `smtp+tls://` (STARTTLS), `smtps://` or `inbox:`.

    Raises ValueError for anything else, without the address: it may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme == "inbox":
        return {"EMAIL_BACKEND": "idp.notifications.receivers.inbox.EmailBackend"}
    if parts.scheme not in ("smtp", "smtp+tls", "smtps") or not parts.hostname:
        raise ValueError("IDP_EMAIL_URL must be smtp://, smtp+tls:// or smtps:// user:password@host:port, or inbox:")
    return {
        "EMAIL_BACKEND": "idp.notifications.receivers.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or {"smtp": 25, "smtp+tls": 587, "smtps": 465}[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }


EMAIL_TIMEOUT = 10  # seconds for one mail in all, not for each step of SMTP
globals().update(mail_settings(IDP.email_url.get_secret_value() or "inbox:"))
DEFAULT_FROM_EMAIL = IDP.email_from
SERVER_EMAIL = IDP.email_from
