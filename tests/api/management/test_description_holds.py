"""Requests made from the OpenAPI description: no 500, and every answer is one that the description names."""

from typing import Any

import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, assume, settings
from schemathesis.specs.openapi import checks

from cards.models import Card
from loyalty import api_keys, ids
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef

# What a description calls an integer the API also takes as 1.0, and keys that it does not know it ignores: that every
# body which breaks the description is refused is no promise of it. What is refused must be refused as described.
# Credentials can be sent in four ways; the tool makes up one way and we send another, so one of them is always good.
NOT_PROMISED = [checks.negative_data_rejection, checks.positive_data_acceptance, checks.ignored_auth]


schema = schemathesis.openapi.from_wsgi("/api/schema", get_wsgi_application())


@schema.parametrize()
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_what_the_description_says(case: Any, program: Program, card: Card) -> None:
    # Of two paths that match, the one without a parameter is meant: /loyalty-cards/info is no card called info.
    fixed = {part for path in schema.raw_schema["paths"] for part in path.split("/")}
    assume(not fixed.intersection(str(part) for part in case.path_parameters.values()))
    _, secret = api_keys.generate(program=program, name="till")
    headers = {"Authorization": f"Bearer {secret}"}
    case.call_and_validate(headers=headers, excluded_checks=NOT_PROMISED)
    # Made-up ids find nothing; the same once more with a card, or a contact and an account, that there are.
    if "/api/v3/" in case.path:
        account = AccountRef(program=program, definition=definitions.find(program, None), customer_id=card.customer_id)
        ledger.open_account(account)
        known = {"account_id": account.id, "accountId": account.id, "id": account.id, "contactId": card.customer_id}
        if _names_what_there_is(case, known):
            case.call_and_validate(headers=headers, excluded_checks=NOT_PROMISED)
        return
    if case.path.startswith("/v1/"):
        if _names_what_there_is(case, {"customer_id": ids.public("cus", card.customer_id)}):
            case.call_and_validate(headers=headers, excluded_checks=NOT_PROMISED)
        return
    is_shop = "/shop/" in case.path
    known = str(card.serial) if is_shop else ids.public("card", card.pk)
    if "card_id" in case.path_parameters:
        case.path_parameters["card_id"] = known
    elif is_shop and "card_id" in (case.query or {}):
        case.query["card_id"] = known
    elif isinstance(case.body, dict) and isinstance(case.body.get("card_id"), int | str):
        case.body["card_id"] = known
    else:
        return
    case.call_and_validate(headers=headers, excluded_checks=NOT_PROMISED)


def _names_what_there_is(case: Any, known: dict[str, Any]) -> bool:
    """This will put ids that there are in the place of those that were made up, and say whether there were any."""
    found = False
    rows = case.body if isinstance(case.body, list) else [case.body]
    for names in (case.path_parameters, case.query or {}, *(row for row in rows if isinstance(row, dict))):
        for name in names.keys() & known.keys():
            names[name] = str(known[name])
            found = True
    return found
