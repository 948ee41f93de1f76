"""The foundation: clock, ids, sealing, JOSE, outbound HTTP, rate limits, request context."""
