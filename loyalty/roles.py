"""What the runtime role may do: the service's requests run as a role that cannot change the ledger's past."""

from django.db import connections, transaction

# An entry and a use never change; of a lot only what is left does. The triggers say the same, to every role.
INSERT_ONLY = (
    "campaigns_campaigndeed",
    "campaigns_listedcustomer",
    "points_lotuse",
    "points_pointtransaction",
    "points_rulebook",
    "points_tierchange",
    "rewards_redemptionevent",
    "rewards_voucherevent",
    "staff_auditentry",
)
CHANGEABLE_COLUMNS = {
    "campaigns_campaigncustomer": "state, entry_id, undo_entry_id, shortfall, refusal",
    "points_hold": "status, captured_points, resolved_at, resolved_by_id",
    "points_pointlot": "remaining",
    "rewards_redemption": "used_at, cancelled_at, lapsed_at",
    "rewards_rewardvoucher": "redeemed_at, reactivations",
    "staff_adjustmentrequest": "state, decided_by_id, decided_at, decision, account_id, entry_id",
}
# What runs with the rights of the owner: it erases the words of entries whose customer is erased, and brings codes to
# the account that theirs was merged into.
FUNCTIONS = ("points_erase_words(uuid, timestamptz)", "rewards_move_codes(uuid)")

TIMEOUTS = {
    "lock_timeout": "2s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
}


def grant() -> None:
    """This will give the runtime role its privileges and timeouts; it may be repeated."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_user")
        runtime = cursor.fetchone()[0]
        # Here rather than in each transaction: a posting has no statements to spare.
        for name, value in TIMEOUTS.items():
            cursor.execute(f"ALTER ROLE CURRENT_USER SET {name} = %s", [value])
    # The timeouts hold from the role's next session on.
    connections["default"].close()
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] == runtime:
            return
        role = connections["owner"].ops.quote_name(runtime)
        cursor.execute("SELECT f FROM unnest(%s) f WHERE to_regprocedure(f) IS NOT NULL", [list(FUNCTIONS)])
        functions = [name for (name,) in cursor.fetchall()]
        for statement in _statements(set(connections["owner"].introspection.table_names(cursor)), functions):
            cursor.execute(statement.format(role=role))


def _statements(tables: set[str], functions: list[str]) -> list[str]:
    statements = [
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        "REVOKE TRUNCATE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA public FROM {role}",
        # A new table, until the grants above are repeated for it: nothing that could change the past.
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    ]
    for table in tables.intersection([*INSERT_ONLY, *CHANGEABLE_COLUMNS]):
        statements.append(f"REVOKE UPDATE, DELETE ON {table} FROM {{role}}")
        if table in CHANGEABLE_COLUMNS:
            statements.append(f"GRANT UPDATE ({CHANGEABLE_COLUMNS[table]}) ON {table} TO {{role}}")
    return [*statements, *(f"GRANT EXECUTE ON FUNCTION {function} TO {{role}}" for function in functions)]
