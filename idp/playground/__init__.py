"""Development only: a small relying party that shows every step of a sign-in, and the mail inbox.

Never installed in production (`idp.settings.apps`, `idp.urls`). It is an ordinary client of the provider and talks to it
over HTTP; the only thing that it takes from inside is the registration of its own client.
"""
