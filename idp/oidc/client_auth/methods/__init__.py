"""One file per method. Each finds its own credentials in a request and proves them.

Spec: RFC 6749 2.3.1, OpenID Connect Core 9.
"""
