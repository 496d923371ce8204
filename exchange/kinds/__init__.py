"""What can be imported: for each kind of file its columns, and how its rows are brought in."""

from exchange.kinds.balances import OpeningBalances
from exchange.kinds.base import Brought, Fault, Kind, Row
from exchange.kinds.cards import Cards
from exchange.kinds.customers import Customers
from exchange.kinds.purchases import Purchases
from exchange.kinds.rewards import Rewards
from exchange.models import Import

__all__ = ["KINDS", "Brought", "Fault", "Kind", "Row"]

KINDS: dict[str, type[Kind]] = {
    Import.Kind.CUSTOMERS: Customers,
    Import.Kind.CARDS: Cards,
    Import.Kind.OPENING_BALANCES: OpeningBalances,
    Import.Kind.PURCHASES: Purchases,
    Import.Kind.REWARDS: Rewards,
}
