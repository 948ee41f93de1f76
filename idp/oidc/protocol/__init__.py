"""The vocabulary of the protocol: parameter names, error values, refusals. Pure Python, imports neither Django nor kernel.

Spec: RFC 6749 (4.1.2.1, 5.2), OpenID Connect Core 1.0 (3.1.2.6), RFC 6750 (3.1), RFC 7009 (2.2.1).
"""
