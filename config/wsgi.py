import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from loyalty import durability  # noqa: E402  # the connection it asks needs Django to be set up

durability.warn()
