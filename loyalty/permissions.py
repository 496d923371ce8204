"""What the caller may do: the scopes of its API key, or of the key that issued its token."""

import uuid
from typing import Any, cast

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from loyalty import errors
from loyalty.member_tokens import Member
from loyalty.models import ApiKey


class HasScope(BasePermission):
    """Lets a key through that has the scope which the view's `scopes` names for the action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """This will let the request through.

        Raises:
            errors.Forbidden: the key lacks the scope.
            MethodNotAllowed: the path does not take the method.
        """
        # OPTIONS is refused after this.
        if view.action == "metadata":
            return True
        if view.action is None:
            # Here and not after this: DRF would call what a view has under the method's name.
            raise MethodNotAllowed(str(request.method))
        require(request, view.scopes[view.action])
        return True


def require(request: Request, scope: str) -> None:
    """This will let a request go on whose key has the scope.

    Raises:
        errors.Forbidden: the key lacks it.
    """
    if scope not in caller(request).scopes:
        raise errors.Forbidden([scope])


def caller(request: Request) -> ApiKey:
    """This will answer the key that calls, or that issued the token of the member who does."""
    return cast(ApiKey, request.auth)


def member(request: Request) -> uuid.UUID | None:
    """This will answer the customer whose token calls, and who may see nothing of others; None: a key calls."""
    return request.user.customer_id if isinstance(request.user, Member) else None
