"""What the caller may do: the scopes of its API key."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from loyalty import errors


class HasScope(BasePermission):
    """Lets a key through that has the scope which the view's `scopes` names for the action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """This will let the request through.

        Raises:
            errors.Forbidden: the key lacks the scope.
        """
        # A method that the path does not take has no action; it is refused as such after this.
        if view.action is None:
            return True
        scope = view.scopes[view.action]
        if scope not in request.auth.scopes:
            raise errors.Forbidden([scope])
        return True
