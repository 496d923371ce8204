"""The ledger against a model in plain Python: whatever is posted in whatever order, both say the same after each step.

`LEDGER_EXAMPLES` and `LEDGER_STEPS` make it look harder.
"""

import copy
import dataclasses
import datetime
import os
import secrets
import uuid
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from loyalty import errors
from loyalty.models import Program
from points import ledger, rules, statements
from points.models import PointAccount, PointDefinition, PointTransaction, TierChange
from tests.factories import make_account, make_definition
from tests.points import model, steps
from tests.points.model_tiers import Scheme, Tiers
from tests.points.steps import DAY, MOMENT, SECOND, Step
from tests.points.till import Till, answer, breaches, key, posting
from tiers.models import Tier, TierScheme

START = datetime.datetime(2027, 12, 30, 22, 30, tzinfo=datetime.UTC)


class LedgerMachine(RuleBasedStateMachine):
    program: Program

    @initialize(
        policy=steps.policies,
        clawback=steps.clawbacks,
        zone=st.sampled_from(["UTC", "Europe/Vilnius", "America/New_York"]),
        places=st.sampled_from([0, 2]),
        may_go_negative=st.booleans(),
        scheme=steps.schemes,
        thresholds=steps.thresholds,
    )
    def open(
        self,
        *,
        policy: dict,
        clawback: str,
        zone: str,
        places: int,
        may_go_negative: bool,
        scheme: dict,
        thresholds: tuple[int, ...],
    ) -> None:
        self.now = START
        self.unit = Decimal(1).scaleb(-places)
        self.program = Program.objects.create(
            slug=f"machine-{secrets.token_hex(6)}", name="Machine", timezone=zone, transaction_limit=None
        )
        self.definition = make_definition(
            self.program, decimal_places=places, may_go_negative=may_go_negative, clawback=clawback, **policy
        )
        self.open_tiers(scheme, [points * self.unit for points in thresholds])
        self.tills = [Till(make_account(self.program, self.definition)) for _ in range(2)]
        self.models = [
            model.Account(
                policy=self.definition.policy,
                zone=ZoneInfo(zone),
                places=places,
                may_go_negative=may_go_negative,
                clawback=clawback,
                tiers=Tiers(self.scheme, START),
            )
            for _ in range(2)
        ]
        self.compared = [0, 0]
        self.answers: dict[tuple[int, str], tuple[str, Any]] = {}
        self.asked: dict[tuple[int, str], Step] = {}

    def open_tiers(self, scheme: dict, thresholds: list[Decimal]) -> None:
        TierScheme.objects.create(program=self.program, **scheme)
        self.thresholds: dict[uuid.UUID | None, Decimal | None] = {None: None}
        for threshold in thresholds:
            code = f"from-{threshold}".replace(".", "-")
            tier = Tier.objects.create(program=self.program, code=code, name=code, threshold=threshold)
            self.thresholds[tier.id] = threshold
        rules.publish(program=self.program, by="test")
        self.scheme = Scheme(
            thresholds=tuple(thresholds),
            basis=scheme["basis"],
            window_months=scheme.get("window_months", 0),
            fall=scheme.get("fall", "reached"),
            zone=ZoneInfo(self.program.timezone),
        )

    # The clock

    @rule(passed=st.sampled_from([SECOND, DAY / 24, DAY, DAY, 2 * DAY, 9 * DAY, 28 * DAY, 31 * DAY, 366 * DAY]))
    def wait(self, passed: datetime.timedelta) -> None:
        self.now += passed
        self.compare(0, 1)

    @rule(who=steps.customers, off=st.sampled_from([-MOMENT, 0 * MOMENT, MOMENT]))
    def wait_until_something_is_due(self, who: int, off: datetime.timedelta) -> None:
        moment = self.models[who].first_moment()
        if self.now < moment < START + 4000 * DAY:
            self.now = max(self.now, moment + off)
        self.compare(0, 1)

    @rule(months=st.sampled_from([1, 1, 2, 12]), off=st.sampled_from([-MOMENT, 0 * MOMENT, MOMENT]))
    def wait_until_a_month_begins(self, months: int, off: datetime.timedelta) -> None:
        self.wait_for_months(months, off)
        self.compare(0, 1)

    @rule(who=steps.customers, months=st.sampled_from([2, 4]), step=steps.awards | steps.redemptions)
    def post_by_a_clock_behind_a_review(self, who: int, months: int, step: Step) -> None:
        self.wait_for_months(months, 0 * MOMENT)
        self.settle_all()
        self.do(who, dataclasses.replace(step, lag=SECOND))

    def wait_for_months(self, months: int, off: datetime.timedelta) -> None:
        self.now = max(self.now, self.scheme.start(self.scheme.month(self.now) + months) + off)

    @rule(moves=st.booleans())
    def settle(self, moves: bool) -> None:
        self.now += moves * DAY
        self.settle_all()
        self.compare(0, 1)

    def settle_all(self) -> None:
        ledger.settle([till.account for till in self.tills], at=self.now)
        for account in self.models:
            account.settle(self.now)

    @rule(policy=steps.policies, clawback=steps.clawbacks)
    def change_the_policy(self, policy: dict, clawback: str) -> None:
        PointDefinition.objects.filter(pk=self.definition.pk).update(clawback=clawback, **policy)
        self.definition.refresh_from_db()
        for account in self.models:
            account.policy, account.clawback = self.definition.policy, clawback
        self.compare(0, 1)

    # Postings

    @rule(who=steps.customers, step=steps.awards)
    def award(self, who: int, step: Step) -> None:
        self.do(who, step)

    @rule(who=steps.customers, step=steps.awards)
    def award_again(self, who: int, step: Step) -> None:
        self.do(who, step)

    @rule(who=steps.customers, step=steps.redemptions)
    def redeem(self, who: int, step: Step) -> None:
        self.do(who, step)

    @rule(who=steps.customers, step=steps.adjustments)
    def adjust(self, who: int, step: Step) -> None:
        self.do(who, step)

    @rule(who=steps.customers, points=st.none() | steps.amounts, before=steps.ends, lag=steps.lags)
    def expire(self, who: int, points: Any, before: datetime.timedelta | None, lag: datetime.timedelta) -> None:
        if points is None and before is None:
            before = 29 * DAY
        self.do(who, Step("expire", points, lag=lag, expires_at=before))

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), lag=steps.lags)
    def repeat(self, data: st.DataObject, lag: datetime.timedelta) -> None:
        who, name = data.draw(st.sampled_from(list(self.answers)), "key")
        self.do(who, dataclasses.replace(self.asked[who, name], lag=lag))

    @precondition(lambda self: self.undoable(True))
    @rule(data=st.data(), points=steps.parts, lag=steps.lags)
    def take_back(self, data: st.DataObject, points: int | None, lag: datetime.timedelta) -> None:
        self.undo(data, self.undoable(True), points, lag)

    @precondition(lambda self: self.undoable(False))
    @rule(data=st.data(), points=steps.parts, lag=steps.lags)
    def give_back(self, data: st.DataObject, points: int | None, lag: datetime.timedelta) -> None:
        self.undo(data, self.undoable(False), points, lag)

    @precondition(lambda self: self.undoable(False))
    @rule(data=st.data(), points=steps.parts)
    def give_back_some_more(self, data: st.DataObject, points: int | None) -> None:
        self.undo(data, self.undoable(False), points, 0 * DAY)

    @precondition(lambda self: any(account.entries for account in self.models))
    @rule(data=st.data())
    def reverse_anything(self, data: st.DataObject) -> None:
        entries = [(who, entry.version) for who in (0, 1) for entry in self.models[who].entries]
        self.undo(data, entries, None, 0 * DAY)

    def undoable(self, is_credit: bool) -> list[tuple[int, int]]:
        """Whose entries (account, version) have something left to undo."""
        return [
            (who, entry.version)
            for who, account in enumerate(self.models)
            for entry in account.entries
            if entry.type in ("award", "redeem", "adjust")
            and (entry.points > 0) == is_credit
            and entry.undone < abs(entry.points)
        ]

    def undo(
        self, data: st.DataObject, among: list[tuple[int, int]], points: int | None, lag: datetime.timedelta
    ) -> None:
        who, version = data.draw(st.sampled_from(among), "target")
        self.do(who, Step("reverse", points, lag=lag, target=version))

    @rule(items=steps.batches, is_atomic=st.booleans(), is_trial=st.sampled_from([False, False, True]))
    def post_many(self, items: list[tuple[int, Step]], is_atomic: bool, is_trial: bool) -> None:
        postings = [self.posting(who, step) for who, step in items]
        known, models = dict(self.answers), copy.deepcopy(self.models)
        expected = [self.expect(who, step, made)[0] for (who, step), made in zip(items, postings, strict=True)]
        outcomes = ledger.post_many(postings, render=answer, is_atomic=is_atomic, is_trial=is_trial)
        refusals = [outcome.refusal and outcome.refusal.code for outcome in outcomes]
        assert refusals == expected
        if is_trial or (is_atomic and any(refusals)):
            self.answers, self.models = known, models
        if is_atomic and any(refusals) and not is_trial:
            for n in {who for who, _ in items}:
                models[n].settle(max(made.at for (who, _), made in zip(items, postings, strict=True) if who == n))
        elif not is_trial:
            for (who, _), made, outcome in zip(items, postings, outcomes, strict=True):
                self.remember(who, made, outcome)
        self.compare(0, 1)

    # How both are asked

    def do(self, who: int, step: Step) -> None:
        made = self.posting(who, step)
        refusal, entry = self.expect(who, step, made)
        outcome, code = None, None
        try:
            outcome = ledger.post(made, render=answer)
        except errors.Refusal as refused:
            code = refused.code
        assert code == refusal
        if outcome is not None:
            assert (outcome.entry is None) == (entry is None)
            self.remember(who, made, outcome)
        self.compare(who)

    def posting(self, who: int, step: Step) -> ledger.Posting:
        at = self.now - step.lag
        options: dict[str, Any] = {}
        if step.kind == "expire":
            options["expires_before"] = None if step.expires_at is None else self.now + step.expires_at
        elif step.expires_at is not None:
            options["expires_at"] = self.now + step.expires_at
        if step.valid_from is not None:
            options["valid_from"] = self.now + step.valid_from
        if step.target is not None:
            options["reverses_id"] = self.tills[who].entries()[step.target - 1].id
        if step.key is not None:
            options["key"] = key(step.key, body=repr(dataclasses.replace(step, lag=0 * DAY)))
        return posting(self.tills[who].account, step.kind, self.points(who, step.points), at=at, **options)

    def points(self, who: int, wanted: Any) -> Decimal | None:
        if wanted is None:
            return None
        if wanted == "too fine":
            return self.unit / 10
        if isinstance(wanted, int):
            return wanted * self.unit
        balance = max(self.models[who].as_of(self.now).balance, Decimal(0))
        if wanted == "owe":
            return -(balance // self.unit * self.unit) - 7 * self.unit
        parts = {"some": balance / 5, "half": balance / 2, "all": balance, "more": balance + self.unit}
        # Whole units: what is left is as likely to be a part of a lot as a lot.
        return max(parts[wanted] // self.unit * self.unit, self.unit)

    def expect(self, who: int, step: Step, made: ledger.Posting) -> tuple[str | None, model.Entry | None]:
        """This will do the step on the model, and answer the refusal's code or the entry."""
        account = self.models[who]
        if made.key is not None and (who, made.key.key) in self.answers:
            account.settle(made.at)
            is_same = self.answers[who, made.key.key][0] == made.key.fingerprint
            return (None, None) if is_same else ("IDEMPOTENCY_KEY_REUSED", None)
        options: dict[str, Any] = {"points": made.points}
        if step.kind == "award":
            options |= {"valid_from": made.valid_from, "expires_at": made.expires_at}
        if step.kind == "expire":
            options["before"] = made.expires_before
        if step.kind == "reverse":
            options["version"] = step.target
        try:
            entry = getattr(account, step.kind)(at=made.at, **options)
        except model.Refused as refused:
            return refused.code, None
        if made.key is not None:
            self.answers[who, made.key.key] = (made.key.fingerprint, None)
            self.asked[who, made.key.key] = step
        return None, entry

    def remember(self, who: int, made: ledger.Posting, outcome: ledger.Outcome) -> None:
        """This will hold the first answer under a key against every later one."""
        if made.key is None or outcome.refusal is not None:
            return
        fingerprint, first = self.answers[who, made.key.key]
        assert outcome.answer is not None
        if first is None:
            assert not outcome.answer.replayed
            self.answers[who, made.key.key] = (fingerprint, outcome.answer)
        else:
            assert outcome.answer == dataclasses.replace(first, replayed=True)
            assert outcome.entry is None

    # What both must say

    def compare(self, *who: int) -> None:
        for n in who:
            rows, entries = self.tills[n].rows(), self.tills[n].entries()
            self.compare_account(n, rows)
            self.compare_lots(n)
            self.compare_history(n, entries)
            self.compare_tiers(n, rows, entries)
            self.compare_statements(n)

    def compare_account(self, who: int, rows: list[PointAccount]) -> None:
        expected = self.models[who]
        if not rows:
            assert not expected.entries
            return
        [row] = rows
        assert (row.balance, row.pending, row.version) == (expected.balance, expected.pending, len(expected.entries))
        assert (row.lifetime_earned, row.lifetime_redeemed, row.lifetime_expired) == (
            expected.earned,
            expected.redeemed,
            expected.expired,
        )
        assert row.last_activity_at == expected.last_activity_at
        assert row.effective_at == (expected.entries[-1].at if expected.entries else None)
        assert (row.next_due_at or model.NEVER) <= expected.first_moment()

    def compare_lots(self, who: int) -> None:
        lots = [
            (lot.version, lot.points, lot.remaining, lot.expires_at, lot.inactivity_months, lot.clawback)
            for lot in self.tills[who].lots()
        ]
        assert lots == [
            (lot.version, lot.points, lot.left, lot.ends_at, lot.months, lot.clawback) for lot in self.models[who].lots
        ]

    def compare_history(self, who: int, entries: list[PointTransaction]) -> None:
        till, expected = self.tills[who], self.models[who].entries
        assert len(entries) == len(expected)
        versions = {entry.id: entry.version for entry in entries}
        new = slice(self.compared[who], None)
        for entry, other in zip(entries[new], expected[new], strict=True):
            assert (entry.version, entry.type, entry.points) == (other.version, other.type, other.points)
            assert (entry.balance_before, entry.balance_after) == (other.before, other.after)
            assert (entry.pending_after, entry.shortfall) == (other.pending, other.shortfall)
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
        tallies = {name.partition("/")[2]: Decimal(points) for name, points in row.tallies.items()}
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
        assert (statement.balance, statement.pending) == (expected.balance, expected.pending)
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

    def teardown(self) -> None:
        if hasattr(self, "program"):
            assert breaches(self.program) == set()


TestLedger = LedgerMachine.TestCase
TestLedger.settings = hypothesis.settings(
    max_examples=int(os.environ.get("LEDGER_EXAMPLES", "45")),
    stateful_step_count=int(os.environ.get("LEDGER_STEPS", "50")),
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(hypothesis.HealthCheck),
)
