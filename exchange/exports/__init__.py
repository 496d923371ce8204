"""What can be exported: for each kind its columns, and its rows page by page, however many there are."""

from exchange.exports import ledger, offers, people, terms
from exchange.exports.base import Range

EXPORTS = people.EXPORTS | ledger.EXPORTS | offers.EXPORTS | terms.EXPORTS

__all__ = ["EXPORTS", "Range"]
