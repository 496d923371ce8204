-- Reverses the redemption that is the newest entry of an account, for every account where it is one of `points`:
-- the lots that paid it have their points again, and the account can pay with as many lots once more.
WITH spent AS MATERIALIZED (
    SELECT e.*, uuidv7() AS entry_id
    FROM cards_card c
    JOIN points_pointaccount a ON a.customer_id = c.customer_id
    JOIN points_pointtransaction e ON e.account_id = a.id AND e.version = a.version
    WHERE c.id BETWEEN %(first_card)s AND %(last_card)s AND e.type = 'redeem'
), entries AS (
    INSERT INTO points_pointtransaction (
        id, account_id, program_id, version, type, points, balance_before, balance_after, pending_after, shortfall,
        reason, actor, card_id, reverses_id, effective_at, created_at
    )
    SELECT entry_id, account_id, program_id, version + 1, 'reverse', -points, balance_after, balance_before,
        pending_after, 0, 'Given back', 'benchmark', card_id, id, now(), now()
    FROM spent
), paid AS MATERIALIZED (
    SELECT u.*, s.entry_id AS given_back_by
    FROM spent s JOIN points_lotuse u ON u.account_id = s.account_id AND u.entry_id = s.id
), uses AS (
    INSERT INTO points_lotuse (account_id, entry_id, position, lot_id, points, pays_debt)
    SELECT account_id, given_back_by, position, lot_id, -points, false FROM paid
), lots AS (
    UPDATE points_pointlot l SET remaining = l.remaining + p.points
    FROM paid p WHERE l.account_id = p.account_id AND l.id = p.lot_id
)
UPDATE points_pointaccount a SET
    balance = a.balance - s.points,
    lifetime_redeemed = a.lifetime_redeemed + s.points,
    version = a.version + 1,
    listed = a.listed + 1,
    effective_at = now()
FROM spent s WHERE a.id = s.account_id
