"""What is posted at the till: through the ledger's and the rewards' verbs, once for each form however often it is sent.

A refusal is shown on the form that was sent, with all that was typed.
"""

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import orjson
from django import forms
from django.http import QueryDict
from django.utils import timezone

from loyalty import console, errors, idempotency
from loyalty.models import Program
from points import ledger, reasons
from points.admin.till import showing
from points.admin.till.forms import AwardForm, OnceForm, PurchaseForm, RedeemForm, RewardForm, UseForm
from points.admin.till.showing import Visit
from points.terms import Deed, Kind
from rewards import redeeming, redemptions
from rewards.models import Redemption

_SENT_BEFORE = (
    "This form was sent before, with other values, and posted. Look at the last entries first; if this is one more, "
    "send it again."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Done:
    """What was done, in words, and where it leads; nowhere: to the customer again."""

    message: str
    address: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Service:
    """Something that can be done for a customer: its form, and the deed that posts what the form says."""

    title: str
    button: str
    form: type[OnceForm]
    run: Callable[[Visit, dict[str, Any], idempotency.Key], Done]


def form(name: str, visit: Visit, sent: QueryDict | None = None) -> OnceForm:
    """This will answer the form of a service, with what was sent or empty."""
    made = SERVICES[name].form(sent, prefix=name, initial={"key": uuid.uuid4()})
    if name == "purchase":
        made.fields["amount"].label = f"Amount in {visit.program.currency}"
    return made


def offered(visit: Visit) -> list[str]:
    """This will answer which services there are for these points: rules are about those that customers mean."""
    return [name for name in SERVICES if name != "purchase" or visit.definition.is_default]


def do(name: str, form: OnceForm, visit: Visit) -> Done | None:
    """This will do what a valid form says, and answer what was done; or show on the form why not."""
    said = dict(form.cleaned_data)
    key = key_of(name, said, customer=str(visit.customer.pk), definition=str(visit.definition.pk))
    try:
        return SERVICES[name].run(visit, said, key)
    except errors.Refusal as refusal:
        tell(form, refusal, visit.definition.decimal_places)
        return None


def key_of(name: str, said: dict[str, Any], **known: str) -> idempotency.Key:
    """This will answer under which key a form posts, taken out of what it says."""
    key = said.pop("key")
    body = known | {field: value if isinstance(value, Decimal) else str(value) for field, value in said.items()}
    return idempotency.of_form(key, path=f"admin/till/{name}", body=body)


def take(program: Program, redemption: Redemption, key: idempotency.Key, *, actor: str) -> Done:
    """This will use a code.

    Raises:
        redemptions.AlreadyUsed, redemptions.RedemptionCancelled, redemptions.RedemptionExpired.
        errors.IdempotencyKeyReused, errors.Unavailable.
    """

    def work() -> idempotency.Answer:
        redemptions.use(program=program, reference=redemption.code, actor=actor, at=timezone.now())
        return _answer(code=redemption.code)

    idempotency.answer_once(owner_id=program.pk, key=key, work=work)
    told = ", ".join(text for text in (showing.reward_of(redemption), showing.discount(redemption)) if text)
    return Done(message=f"{redemption.code} is used: {told}.", address=showing.code_address(program, redemption.code))


def tell(form: OnceForm, refusal: errors.Refusal, places: int) -> None:
    """This will show a refusal on the form in plain words."""
    match refusal:
        case ledger.InsufficientPoints():
            balance = console.amount(refusal.facts["current_balance"], places=places)
            form.add_error(_at(form, "points"), f"There are not enough points: the balance is {balance}.")
        case redemptions.RedemptionNotFound():
            form.add_error(_at(form, "code"), "There is no such code.")
        case errors.InvalidPoints():
            form.add_error(_at(form, "points"), refusal.message)
        case ledger.TransactionLimitExceeded():
            seconds = refusal.facts["retry_after"]
            form.add_error(
                None, f"Too much was posted for this customer within a minute. Try again in {seconds} seconds."
            )
        case errors.Unavailable():
            form.add_error(None, "The database did not answer in time. Send the form again: it posts once.")
        case errors.IdempotencyKeyReused():
            form.add_error(None, _SENT_BEFORE)
            form.renew()
        case _:
            console.tell(form, refusal)


def _at(form: forms.Form, field: str) -> str | None:
    is_shown = field in form.fields and not form.fields[field].widget.is_hidden
    return field if is_shown else None


def _purchase(visit: Visit, said: dict[str, Any], key: idempotency.Key) -> Done:
    at, amount = timezone.now(), said["amount"]
    told = {"transaction_type": Kind.PURCHASE.value, "purchase_amount": f"{amount:f}"}
    outcome = ledger.earn(
        account=visit.account,
        deed=Deed(kind=Kind.PURCHASE, at=at, amount=amount),
        note=_note(visit, reason=reasons.PURCHASE, reference=said["receipt"], metadata=told),
        at=at,
        key=key,
        render=_awarded,
    )
    return _told_award(visit, outcome)


def _award(visit: Visit, said: dict[str, Any], key: idempotency.Key) -> Done:
    at = timezone.now()
    # As a deed, so that the programme's limits for points by hand hold.
    outcome = ledger.earn(
        account=visit.account,
        deed=Deed(kind=Kind.MANUAL, at=at, points=said["points"]),
        note=_note(visit, reason=said["reason"], metadata={"transaction_type": Kind.MANUAL.value}),
        at=at,
        key=key,
        render=_awarded,
    )
    return _told_award(visit, outcome)


def _redeem(visit: Visit, said: dict[str, Any], key: idempotency.Key) -> Done:
    def render(outcome: ledger.Outcome) -> idempotency.Answer:
        worth = redeeming.worth(visit.account, said["points"])
        return _answer(balance=str(outcome.balance), worth=None if worth is None else f"{worth:,f}")

    outcome = ledger.redeem(
        account=visit.account,
        points=said["points"],
        note=_note(visit, reason=reasons.REDEEMED, reference=said["receipt"]),
        at=timezone.now(),
        key=key,
        render=render,
    )
    told = _read(outcome.answer)
    worth = f", worth {told['worth']} {visit.program.currency}" if told["worth"] else ""
    return Done(message=f"Redeemed: {visit.amount(said['points'])} points{worth}. {_balance(visit, told)}")


def _reward(visit: Visit, said: dict[str, Any], key: idempotency.Key) -> Done:
    def render(redemption: Redemption) -> idempotency.Answer:
        return _answer(code=redemption.code, balance=str(redemption.balance_after))

    wish = redeeming.Wish(
        customer_id=visit.customer.pk,
        reward_id=said["reward"],
        points=said["points"],
        staff_member=console.staff_member(visit.request),
        card_id=visit.card.pk if visit.card else None,
    )
    redeemed = redeeming.redeem(
        program=visit.program,
        wish=wish,
        actor=console.actor(visit.request),
        at=timezone.now(),
        render=render,
        key=key,
    )
    told = _read(redeemed.answer)
    message = f"Redeemed for {visit.amount(said['points'])} points. {_balance(visit, told)}"
    return Done(message=message, address=showing.code_address(visit.program, told["code"]))


def _use(visit: Visit, said: dict[str, Any], key: idempotency.Key) -> Done:
    # Read first, in a transaction of its own: that it has lapsed stays written, whatever is refused.
    redemption = redemptions.find(program=visit.program, reference=said["code"], at=timezone.now())
    if redemption.customer_id != visit.customer.pk:
        raise errors.InvalidParameters({"code": ["Another customer's code. Find it by the search field to use it."]})
    return take(visit.program, redemption, key, actor=console.actor(visit.request))


SERVICES: Mapping[str, Service] = {
    "purchase": Service(title="Award for a purchase", button="Award", form=PurchaseForm, run=_purchase),
    "redeem": Service(title="Redeem points", button="Redeem", form=RedeemForm, run=_redeem),
    "use": Service(title="Use a code", button="Use this code", form=UseForm, run=_use),
    "award": Service(title="Award by hand", button="Award", form=AwardForm, run=_award),
    "reward": Service(title="Rewards", button="Redeem", form=RewardForm, run=_reward),
}


def _note(visit: Visit, *, reason: str, reference: str = "", metadata: dict[str, Any] | None = None) -> ledger.Note:
    return ledger.Note(
        reason=reason,
        actor=console.actor(visit.request),
        staff_member=console.staff_member(visit.request),
        reference=reference or None,
        metadata=metadata,
        card_id=visit.card.pk if visit.card else None,
    )


def _awarded(outcome: ledger.Outcome) -> idempotency.Answer:
    assert outcome.entry is not None
    rung = outcome.progress.rung if outcome.is_upgraded and outcome.progress else None
    return _answer(points=str(outcome.entry.points), balance=str(outcome.balance), tier=rung.name if rung else None)


def _told_award(visit: Visit, outcome: ledger.Outcome) -> Done:
    told = _read(outcome.answer)
    tier = f" {told['tier']} from now on." if told["tier"] else ""
    points = visit.amount(Decimal(told["points"]), is_signed=True)
    return Done(message=f"{points} points for {visit.customer}. {_balance(visit, told)}{tier}")


def _balance(visit: Visit, told: dict[str, Any]) -> str:
    return f"The balance is {visit.amount(Decimal(told['balance']))} now."


def _answer(**told: str | None) -> idempotency.Answer:
    return idempotency.Answer(status=201, body=orjson.dumps(told))


def _read(answer: idempotency.Answer | None) -> dict[str, Any]:
    assert answer is not None
    return orjson.loads(answer.body)
