"""How requests reach the endpoints: through Django's views (the engine's, subclassed), or through the thin WSGI door before them.

Spec: none of its own. Both doors call the same `respond(HttpIn) -> HttpOut`; the protocol tests run through both.
"""
