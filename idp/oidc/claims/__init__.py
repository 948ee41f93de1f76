"""Scopes and the claims parameter to claims; the subject identifier.

Spec: OpenID Connect Core 5.1 (standard claims), 5.4 (scopes), 5.5 (claims parameter), 8 (subject identifier types: public, pairwise).
Not covered: aggregated and distributed claims, claims_locales (accepted, no effect: values have no languages).
"""
