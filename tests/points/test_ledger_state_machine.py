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
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from loyalty import errors
from loyalty.models import Program
from points import ledger, rules
from points.models import PointDefinition
from tests.factories import make_account, make_definition
from tests.points import model, model_holds, steps
from tests.points.compared import Compared
from tests.points.model_tiers import Scheme, Tiers
from tests.points.steps import DAY, MOMENT, SECOND, Step
from tests.points.till import Till, answer, breaches, key, posting
from tiers.models import Tier, TierScheme

ZERO = Decimal(0)
START = datetime.datetime(2027, 12, 30, 22, 30, tzinfo=datetime.UTC)


class LedgerMachine(Compared, RuleBasedStateMachine):
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
            slug=f"machine-{secrets.token_hex(6)}",
            name="Machine",
            timezone=zone,
            transaction_limit=None,
            transfers_enabled=True,
        )
        self.definition = make_definition(
            self.program, decimal_places=places, may_go_negative=may_go_negative, clawback=clawback, **policy
        )
        self.open_tiers(scheme, [points * self.unit for points in thresholds])
        self.tills = [Till(make_account(self.program, self.definition)) for _ in range(2)]
        self.models = [
            model_holds.Account(
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

    # Holds and transfers

    @rule(who=steps.customers, step=steps.holds)
    def hold(self, who: int, step: Step) -> None:
        self.do(who, step)

    @rule(who=steps.customers, award=steps.awards, step=steps.holds)
    def award_and_hold(self, who: int, award: Step, step: Step) -> None:
        self.do(who, dataclasses.replace(award, valid_from=None))
        self.do(who, step)

    @precondition(lambda self: self.holds())
    @rule(data=st.data(), points=steps.parts | st.just("too fine"), lag=steps.lags)
    def capture(self, data: st.DataObject, points: Any, lag: datetime.timedelta) -> None:
        who, version = data.draw(st.sampled_from(self.holds()), "hold")
        self.do(who, Step("capture", points, lag=lag, target=version))

    @precondition(lambda self: self.holds())
    @rule(data=st.data(), lag=steps.lags)
    def release(self, data: st.DataObject, lag: datetime.timedelta) -> None:
        who, version = data.draw(st.sampled_from(self.holds()), "hold")
        self.do(who, Step("release", None, lag=lag, target=version))

    def holds(self) -> list[tuple[int, int]]:
        """Whose holds (account, version) there are: those that can be resolved, and the last one that cannot."""
        return [
            (who, hold.version)
            for who, account in enumerate(self.models)
            for hold in [*account.active_holds, *[hold for hold in account.holds if hold.status != "active"][-1:]]
        ]

    @rule(who=steps.customers, step=steps.transfers)
    def transfer(self, who: int, step: Step) -> None:
        self.do(who, step)

    @rule(who=steps.customers, award=steps.awards, step=steps.transfers, owes=st.booleans())
    def award_and_transfer(self, who: int, award: Step, step: Step, owes: bool) -> None:
        if owes:
            self.do(1 - who, Step("adjust", "owe"))
        self.do(who, dataclasses.replace(award, valid_from=None))
        self.do(who, step)

    # Over again, and back

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
        self.compare(*([0, 1] if step.kind == "transfer" else [who]))

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
            named = "reverses_id" if step.kind == "reverse" else "hold_id"
            options[named] = self.tills[who].entries()[step.target - 1].id
        if step.kind == "hold":
            options["lasts"] = step.lasts
        if step.kind == "transfer":
            options["receiver"] = self.tills[1 - who].account
        if step.key is not None:
            options["key"] = key(step.key, body=repr(dataclasses.replace(step, lag=0 * DAY)))
        kind = "redeem" if step.kind == "capture" else step.kind
        return posting(self.tills[who].account, kind, self.points(who, step.points), at=at, **options)

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
            if made.receiver is not None:
                # At one moment, where there are two.
                clock = max(other.clock(made.at) for other in self.models)
                self.models[1 - who].settle(clock)
            account.settle(made.at if made.receiver is None else clock)
            is_same = self.answers[who, made.key.key][0] == made.key.fingerprint
            return (None, None) if is_same else ("IDEMPOTENCY_KEY_REUSED", None)
        options: dict[str, Any] = {} if step.kind == "release" else {"points": made.points}
        if step.kind == "award":
            options |= {"valid_from": made.valid_from, "expires_at": made.expires_at}
        if step.kind == "expire":
            options["before"] = made.expires_before
        if step.kind == "hold":
            options["lasts"] = step.lasts
        if step.target is not None:
            options["version"] = step.target
        verb = partial(model_holds.transfer, account, self.models[1 - who])
        try:
            entry = (verb if step.kind == "transfer" else getattr(account, step.kind))(at=made.at, **options)
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
