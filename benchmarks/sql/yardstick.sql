-- Tables of the same shape as the ledger's: columns, defaults, checks and indexes, but neither triggers nor foreign
-- keys, which only makes the yardstick faster.
CREATE SCHEMA yardstick;
CREATE TABLE yardstick.account (LIKE points_pointaccount INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE yardstick.entry (LIKE points_pointtransaction INCLUDING ALL);
CREATE TABLE yardstick.lot (LIKE points_pointlot INCLUDING ALL) WITH (fillfactor = 85);

-- The last group of an account's id is a number of 12 digits that posting.pgbench draws.
INSERT INTO yardstick.account (
    id, program_id, customer_id, definition_id, may_go_negative, balance, pending, lifetime_earned, lifetime_redeemed,
    lifetime_expired, version, window_count
)
SELECT ('00000000-0000-4000-8000-' || (100000000000 + n))::uuid, uuidv7(), uuidv7(), uuidv7(), false, 0, 0, 0, 0, 0, 0, 0
FROM generate_series(0, %(accounts)s - 1) AS n
