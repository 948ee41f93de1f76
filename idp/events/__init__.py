"""What happened: the catalogue of event types, emit(), the log, the outbox rows."""
