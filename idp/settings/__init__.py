"""Django's settings, by concern. The typed tree behind them is `settings.IDP` (see `environment.py`)."""

from __future__ import annotations

from .environment import ROOT, Environment
from .safety import load

IDP: Environment = load()

BASE_DIR = ROOT
DEBUG = False
ROOT_URLCONF = "idp.urls"
WSGI_APPLICATION = "idp.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
APPEND_SLASH = False

from .apps import *
from .database import *
from .security import *
from .accounts import *
from .protocol import *
from .pages import *
from .background import *
from .logs import *
