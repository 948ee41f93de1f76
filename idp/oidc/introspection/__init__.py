"""Token introspection.

Spec: RFC 7662 2 (request, response), RFC 9470 6.2 (auth_time and acr in the response).
A caller sees a token that it got itself or that names it (or a resource of its) as audience; everything else is inactive.
Not covered: JWT responses (RFC 9701).
"""
