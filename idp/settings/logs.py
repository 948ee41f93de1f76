"""Logging: structured JSON lines in production, readable lines in development. What a line may hold: idp/kernel/logs.py."""

from typing import Any

import structlog

from idp.kernel import logs

from . import IDP

_before: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    # The traceback as text: frames with their local variables would hold every secret there is.
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    logs.add_request,
    logs.redact,
]
_render: Any = (
    structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback)
    if IDP.development
    else structlog.processors.JSONRenderer(serializer=logs.dump)
)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _before,
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        }
    },
    # Standard error: standard output belongs to what commands answer.
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": IDP.log_level},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # The access line says it already.
        "django.request": {"level": "ERROR"},
        "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
        # A traceback for each bad request would let anybody fill the log; the access line tells of it.
        "django.security": {"level": "CRITICAL"},
        # At DEBUG these write queries with parameters, request bodies, tokens and mails: never lower than this.
        **{
            name: {"level": "WARNING"}
            for name in (
                *("allauth", "amqp", "asyncio", "celery", "django.db.backends", "django.template", "django.utils.autoreload", "httpcore"),
                *("httpx", "kombu", "oauth2_provider", "oauthlib", "psycopg", "psycopg.pool", "redis", "requests", "requests_oauthlib"),
                *("fido2", "urllib3", "whitenoise"),
            )
        },
    },
}

structlog.configure(
    processors=[*_before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
