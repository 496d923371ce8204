-- A customer with a card and an account for each account id. The n-th card's id ends in n, so that the load generator
-- can name it without a list.
INSERT INTO cards_customer (id, program_id, email, name, phone, locale, metadata)
SELECT (%(customer)s || lpad(to_hex(n), 12, '0'))::uuid, %(program)s, 'customer' || n || '@example.com', 'Customer ' || n,
    '', '', '{}'
FROM generate_series(%(first)s, %(first)s + cardinality(%(accounts)s::uuid[]) - 1) AS n;

INSERT INTO cards_card (id, program_id, customer_id, number, design, status, status_reason, internal_note, metadata)
SELECT (%(card)s || lpad(to_hex(n), 12, '0'))::uuid, %(program)s, (%(customer)s || lpad(to_hex(n), 12, '0'))::uuid,
    'LC' || lpad(n::text, 12, '0'), 'default', 'active', '', '', '{}'
FROM generate_series(%(first)s, %(first)s + cardinality(%(accounts)s::uuid[]) - 1) AS n;

INSERT INTO points_pointaccount (
    id, program_id, customer_id, definition_id, may_go_negative, balance, pending, lifetime_earned, lifetime_redeemed,
    lifetime_expired, version, window_count
)
SELECT id, %(program)s, (%(customer)s || lpad(to_hex(n + %(first)s - 1), 12, '0'))::uuid, %(definition)s, false, 0, 0, 0, 0, 0, 0, 0
FROM unnest(%(accounts)s::uuid[]) WITH ORDINALITY AS a (id, n)
