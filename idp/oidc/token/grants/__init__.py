"""One file per grant: prove and consume, answer an `Authorization`. A grant never imports a grant.

Spec: RFC 6749 4.1.3 (authorization_code), 4.4 (client_credentials), 6 (refresh_token); RFC 8693 2 (token exchange).
"""
