"""camelCase outside, snake_case inside: names are turned where JSON is read and written, and nowhere else."""

import re
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from djangorestframework_camel_case import util

from loyalty import errors
from loyalty.api import parsers, renderers


class CamelCaseParser(parsers.JSONParser):
    """Reads `application/json` whose names are camelCase."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """This will read the body, with its names in snake_case.

        Raises:
            What `JSONParser` raises.
        """
        body = super().parse(stream, media_type, parser_context)
        try:
            return util.underscoreize(body)
        except RecursionError as failure:
            raise errors.Malformed({"body": [_("Nested too deeply.")]}, rule="max_depth") from failure


def dumps(value: Any) -> bytes:
    """This will write a value as compact JSON, its names in camelCase."""
    return renderers.dumps(util.camelize(value))


def query(parameters: Mapping[str, str]) -> dict[str, str]:
    """This will answer the parameters of a query string with their names in snake_case."""
    return {util.camel_to_underscore(name): value for name, value in parameters.items()}


def name(snake: str) -> str:
    """This will write one name in camelCase."""
    return re.sub(util.camelize_re, util.underscore_to_camel, snake)
