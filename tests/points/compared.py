"""What the ledger and its model in plain Python must both say, after each step."""

import datetime
import uuid
from decimal import Decimal

from points import statements
from points.models import Hold, PointAccount, PointTransaction, TierChange
from tests.points import model, model_holds
from tests.points.model_tiers import Scheme, Tiers
from tests.points.steps import DAY, MOMENT
from tests.points.till import Till

ZERO = Decimal(0)


class Compared:
    """Compares accounts of which each has a till and a model."""

    now: datetime.datetime
    tills: list[Till]
    models: list[model_holds.Account]
    compared: list[int]
    scheme: Scheme
    thresholds: dict[uuid.UUID | None, Decimal | None]

    def compare(self, *who: int) -> None:
        for n in who:
            rows, entries = self.tills[n].rows(), self.tills[n].entries()
            self.compare_account(n, rows)
            self.compare_lots(n)
            self.compare_holds(n)
            self.compare_history(n, entries)
            self.compare_tiers(n, rows, entries)
            self.compare_statements(n)

    def compare_account(self, who: int, rows: list[PointAccount]) -> None:
        expected = self.models[who]
        if not rows:
            assert not expected.entries
            return
        [row] = rows
        assert (row.balance, row.pending, row.held) == (expected.balance, expected.pending, expected.held)
        assert row.version == len(expected.entries)
        assert (row.lifetime_earned, row.lifetime_redeemed, row.lifetime_expired) == (
            expected.earned,
            expected.redeemed,
            expected.expired,
        )
        assert row.last_activity_at == expected.last_activity_at
        assert row.effective_at == (expected.entries[-1].at if expected.entries else None)
        assert (row.next_due_at or model.NEVER) <= expected.first_moment()

    def compare_lots(self, who: int) -> None:
        # What came with one transfer and ends at one time, is one: nothing says which of it goes first.
        lots: dict[tuple, list[Decimal]] = {}
        for lot in self.tills[who].lots():
            same = lots.setdefault((lot.version, lot.expires_at, lot.inactivity_months, lot.clawback), [ZERO, ZERO])
            same[:] = same[0] + lot.points, same[1] + lot.remaining
        others: dict[tuple, list[Decimal]] = {}
        for other in self.models[who].lots:
            same = others.setdefault((other.version, other.ends_at, other.months, other.clawback), [ZERO, ZERO])
            same[:] = same[0] + other.points, same[1] + other.left
        assert lots == others

    def compare_holds(self, who: int) -> None:
        account, entries = self.tills[who].account, self.tills[who].entries()
        versions = {entry.id: entry.version for entry in entries}
        holds = Hold.objects.filter(account_id=account.id)
        assert sorted(
            (
                *(versions[hold.id], hold.points, hold.expires_at, hold.status, hold.captured_points),
                *(hold.resolved_at, hold.resolved_by_id and versions[hold.resolved_by_id]),
            )
            for hold in holds
        ) == [
            (
                *(hold.version, hold.points, hold.expires_at, hold.status, hold.captured),
                *(hold.resolved_at, hold.resolved_by),
            )
            for hold in self.models[who].holds
        ]

    def compare_history(self, who: int, entries: list[PointTransaction]) -> None:
        till, expected = self.tills[who], self.models[who].entries
        assert len(entries) == len(expected)
        versions = {entry.id: entry.version for entry in entries}
        new = slice(self.compared[who], None)
        for entry, other in zip(entries[new], expected[new], strict=True):
            assert (entry.version, entry.type, entry.points) == (other.version, other.type, other.points)
            assert (entry.balance_before, entry.balance_after) == (other.before, other.after)
            assert (entry.pending_after, entry.held_after) == (other.pending, other.held)
            assert entry.shortfall == other.shortfall
            assert entry.effective_at == other.at
            assert entry.reverses_id is None or versions[entry.reverses_id] == other.reverses
            uses: dict[int | None, Decimal] = {}
            for lot, points in till.uses(entry):
                uses[lot] = uses.get(lot, Decimal(0)) + points
            assert {lot: points for lot, points in uses.items() if points} == {
                lot: points for lot, points in other.uses.items() if points
            }
        self.compared[who] = len(entries)

    def compare_tiers(self, who: int, rows: list[PointAccount], entries: list[PointTransaction]) -> None:
        expected = self.models[who].tiers
        for row in rows:
            is_written = row.tier_id is not None or row.tier_since is not None
            held = self.thresholds[row.tier_id] if is_written else self.scheme.reached(Decimal(0))
            assert held == expected.held
            self.compare_months(row, expected)
        versions = {entry.version: entry.id for entry in entries}
        changes = TierChange.objects.filter(account_id=self.tills[who].account.id).order_by("effective_at", "id")
        assert [
            (self.thresholds[row.from_tier_id], self.thresholds[row.to_tier_id], row.entry_id, row.effective_at)
            for row in changes
        ] == [
            (change.before, change.after, versions[change.version] if change.version else None, change.at)
            for change in expected.changes
        ]

    def compare_months(self, row: PointAccount, expected: Tiers) -> None:
        """What the account remembers is the newest months, and the sum of those before."""
        tallies = {
            name.removeprefix("earned/"): Decimal(points)
            for name, points in row.tallies.items()
            if name.startswith("earned/")
        }
        before = tallies.pop("before", Decimal(0))
        months = {f"{month // 12}-{month % 12 + 1:02}": points for month, points in expected.by_month.items() if points}
        assert tallies == {month: points for month, points in months.items() if month in tallies}
        assert before == sum(points for month, points in months.items() if month not in tallies)
        assert not before or not tallies or max(months.keys() - tallies.keys()) < min(tallies)

    def compare_statements(self, who: int) -> None:
        account, expected = self.tills[who].account, self.models[who]
        now = expected.clock(self.now)
        self.compare_statement(statements.balance(account=account, at=now), expected.as_of(now), now)
        for moment in self.moments(expected):
            then = statements.as_of(account=account, moment=moment)
            self.compare_statement(then, expected.as_of(moment), moment)

    def moments(self, expected: model.Account) -> list[datetime.datetime]:
        """Of the past: the last moments at which something happened, and just before each."""
        moments = {entry.at for entry in expected.entries} | {change.at for change in expected.tiers.changes[-1:]}
        happened = sorted(moment for moment in moments if moment <= self.now)[-2:]
        return [moment - off for moment in happened for off in (MOMENT, 0 * DAY)]

    def compare_statement(
        self, statement: statements.Statement, expected: model.Standing, at: datetime.datetime
    ) -> None:
        assert (statement.balance, statement.pending, statement.held) == (
            expected.balance,
            expected.pending,
            expected.held,
        )
        assert (statement.lifetime_earned, statement.lifetime_redeemed, statement.lifetime_expired) == (
            expected.earned,
            expected.redeemed,
            expected.expired,
        )
        assert statement.tier is not None
        assert self.thresholds[statement.tier.rung and statement.tier.rung.id] == expected.tier
        soon = [(end, points) for end, points in expected.ends if at < end <= at + statements.SOON * DAY]
        assert sum(row.points for row in statement.expiring) == sum(points for _, points in soon)
        assert [row.expires_at for row in statement.expiring][:1] == [end for end, _ in soon][:1]
