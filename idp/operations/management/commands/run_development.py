"""`manage.py run_development`: what `make run` starts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from idp.operations import setup

from .serve import add_serving_arguments, serve_with

WHERE_TO_GO = """
Kairos ID is ready.

  Sign in      {issuer}/login
  Playground   {issuer}/playground/     a real sign-in, step by step, with every token decoded
  Staff        {issuer}/staff/          apps, people, keys, events: as the demo person
  Mail inbox   {issuer}/dev/inbox
  Discovery    {issuer}/.well-known/openid-configuration

  Demo person  {email}   password: {password}
  Demo app     client_id: {client_id}   (public, PKCE; redirect URI {redirect_uri} on any port)

Stop with Ctrl-C.
"""


class Command(BaseCommand):
    help = "Set up what is missing (schema, keys, demo app, demo person), say where to go, then serve. With IDP_ENV=production: only serve."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_serving_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.IDP.development:
            if setup.ensure_schema(verbosity=0):
                self.stdout.write("The database is set up.")
            if made := setup.ensure_signing_keys():
                self.stdout.write(f"Signing keys made: {', '.join(made)}.")
            client_id = setup.ensure_demo_client()
            demo = setup.ensure_demo_person()
            self.stdout.write(
                WHERE_TO_GO.format(
                    issuer=settings.IDP.issuer,
                    email=demo.email,
                    password=demo.password,
                    client_id=client_id,
                    redirect_uri=setup.DEMO_REDIRECT_URI,
                )
            )
            self.stdout.flush()
        serve_with(options)
