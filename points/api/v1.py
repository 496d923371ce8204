"""The customers face's operations on points and tiers."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from loyalty.api import v1
from loyalty.models import Scope
from loyalty.permissions import caller
from points import rules
from points.api import v1_shapes as shapes


class TiersViewSet(v1.V1ViewSet):
    """Tells which tiers a programme has."""

    scopes = {"list": Scope.POINTS_READ}

    @extend_schema(summary="Tiers", tags=v1.POINTS, responses={200: v1.list_of(shapes.Tier)})
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's tiers as they hold now, the lowest first: all of them."""
        ladder = rules.of(caller(request).program).ladder
        rungs = ladder.rungs if ladder else ()
        rows = [shapes.Tier.write(rung, rank=rank) for rank, rung in enumerate(rungs, start=1)]
        return v1.respond_with_list(rows, has_more=False)
