"""What happened: the catalogue of event types, emit(), the log, the outbox rows."""

from idp.events.log import emit

__all__ = ["emit"]
