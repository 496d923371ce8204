from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    name = "loyalty"

    def ready(self) -> None:
        # Importing registers them.
        from loyalty import checks  # noqa: F401
