-- Posts `entries` entries to each account of a range of cards, as the ledger would have: one award a `pause` from
-- `first_at` on, and for each third of them a redemption instead, which the account's first lot pays: it ends first.
WITH chosen AS MATERIALIZED (
    SELECT a.*, c.id AS card_id
    FROM cards_card c JOIN points_pointaccount a ON a.customer_id = c.customer_id
    WHERE c.id BETWEEN %(first_card)s AND %(last_card)s
), steps AS (
    SELECT step, %(redeemed)s > 0 AND step %% 3 = 0 AS is_redemption, %(first_at)s + (step - 1) * %(pause)s::interval AS at
    FROM generate_series(1, %(entries)s) AS step
), posted AS MATERIALIZED (
    SELECT c.*, s.at, s.is_redemption, c.version + s.step AS entry_version,
        -- The ids of older entries come first, as they would.
        uuidv7(s.at - now()) AS entry_id,
        CASE WHEN s.is_redemption THEN -%(redeemed)s ELSE %(awarded)s END AS points,
        CASE WHEN NOT s.is_redemption THEN s.at + interval '12 months' END AS expires_at
    FROM chosen c CROSS JOIN steps s
), running AS (
    SELECT p.*, p.balance + sum(p.points) OVER (PARTITION BY p.id ORDER BY p.entry_version) AS balance_after
    FROM posted p
), entries AS (
    INSERT INTO points_pointtransaction (
        id, account_id, program_id, version, type, points, balance_before, balance_after, pending_after, shortfall,
        expires_at, reason, reference, actor, card_id, effective_at, created_at
    )
    SELECT entry_id, id, program_id, entry_version, CASE WHEN is_redemption THEN 'redeem' ELSE 'award' END, points,
        balance_after - points, balance_after, 0, 0, expires_at, 'Order', 'order_' || entry_version, 'benchmark',
        card_id, at, at
    FROM running
    ORDER BY at, id
), lots AS (
    INSERT INTO points_pointlot (
        id, account_id, program_id, entry_id, version, points, remaining, expires_at, clawback
    )
    SELECT entry_id, id, program_id, entry_id, entry_version, points, points, expires_at, 'refuse'
    FROM posted WHERE NOT is_redemption
    ORDER BY at, id
), totals AS (
    SELECT id, count(*) AS entries, sum(points) AS points, max(at) AS at, min(expires_at) AS ends_at,
        COALESCE(sum(points) FILTER (WHERE NOT is_redemption), 0) AS earned,
        COALESCE(-sum(points) FILTER (WHERE is_redemption), 0) AS redeemed
    FROM posted GROUP BY id
), uses AS (
    INSERT INTO points_lotuse (account_id, entry_id, position, lot_id, points, pays_debt)
    SELECT p.id, p.entry_id, 0, l.id, -p.points, false
    FROM posted p JOIN points_pointlot l ON l.account_id = p.id AND l.version = 1
    WHERE p.is_redemption
), spent AS (
    UPDATE points_pointlot l SET remaining = l.remaining - t.redeemed
    FROM totals t WHERE l.account_id = t.id AND l.version = 1 AND t.redeemed > 0
)
UPDATE points_pointaccount a SET
    balance = a.balance + t.points,
    lifetime_earned = a.lifetime_earned + t.earned,
    lifetime_redeemed = a.lifetime_redeemed + t.redeemed,
    version = a.version + t.entries,
    listed = a.listed + t.entries,
    effective_at = t.at,
    last_activity_at = t.at,
    next_due_at = LEAST(a.next_due_at, t.ends_at)
FROM totals t WHERE a.id = t.id
