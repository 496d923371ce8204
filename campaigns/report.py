"""How far a campaign is, and what came of it: what the workers counted, a few rows each."""

import dataclasses
from decimal import Decimal

from campaigns.models import AwardCampaign
from points.lots import ZERO


@dataclasses.dataclass(slots=True)
class Report:
    """Numbers of customers, and points. `refusals`: how many were not awarded or not undone, by why."""

    customers: int
    awarded: int = 0
    refused: int = 0
    undone: int = 0
    kept: int = 0
    points_awarded: Decimal = ZERO
    points_taken: Decimal = ZERO
    points_short: Decimal = ZERO
    refusals: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Whose turn is still to come."""
        return self.customers - self.awarded - self.refused

    @property
    def to_undo(self) -> int:
        """Who still has the points while they are taken back."""
        return self.awarded - self.undone - self.kept

    @property
    def cost(self) -> Decimal:
        """The points that were sent and not taken back."""
        return self.points_awarded - self.points_taken

    @property
    def percent(self) -> int:
        """How many of a hundred have had their turn; a hundred only where all have."""
        return 100 * (self.awarded + self.refused) // self.customers if self.customers else 0

    @property
    def percent_undone(self) -> int:
        """How many of a hundred who were awarded have been looked at again."""
        return 100 * (self.undone + self.kept) // self.awarded if self.awarded else 0


def of(campaign: AwardCampaign) -> Report:
    """This will answer what has been done of a campaign so far."""
    report = Report(customers=campaign.customers)
    for share in campaign.shares.order_by("id"):
        for name in ("awarded", "refused", "undone", "kept", "points_awarded", "points_taken", "points_short"):
            setattr(report, name, getattr(report, name) + getattr(share, name))
        for why, count in share.refusals.items():
            report.refusals[why] = report.refusals.get(why, 0) + count
    return report
