"""The event log as evidence: chained, signed, verified, exported, searched; personal data can leave without breaking it."""
