"""Where HTTP becomes typed values and values become HTTP; nothing past it sees a request object.

Spec: RFC 6749 3.1, 3.2 and Appendix B (form encoding, duplicates, empty values), RFC 6749 5.1 and 5.2 (answers),
RFC 6750 3 (challenges), Fetch (CORS).
Used by the Django views and by the door before Django (`idp.oidc.border.door`): the same functions, the same answers.
"""
