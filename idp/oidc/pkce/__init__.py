"""Proof Key for Code Exchange.

Spec: RFC 7636 (S256 only), RFC 9700 2.1.1 and 4.8.2 (when it is required, downgrade).
Not covered: `plain`, which no client may use.
"""
