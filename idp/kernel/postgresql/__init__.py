"""Django's PostgreSQL backend with a short way for the statements of the hot protocol paths; named in `settings.DATABASES`."""
