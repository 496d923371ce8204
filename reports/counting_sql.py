"""The statement that counts a batch of entries. What each figure tells is in `reports/models.py`.

Each figure of an entry is worked out from the entries of its account up to that one, which never change: so it is the
same in whatever order and in whatever batches the entries are counted.
"""

# The least that a redemption of each size takes.
SIZES = (0, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)

_BATCH = """
taken AS MATERIALIZED (
    SELECT xid, id, account_id, version, type, points, pending_after, reference, metadata, actor,
        effective_at
    FROM points_pointtransaction
    WHERE program_id = %(program)s AND (xid, id) > (%(xid)s::text::xid8, %(entry)s)
        AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id LIMIT %(batch)s
), batch AS MATERIALIZED (
    SELECT e.account_id, e.id, e.version, e.type, e.points, e.reference, e.metadata, e.actor, e.effective_at,
        a.definition_id,
        (e.effective_at AT TIME ZONE %(zone)s)::date AS day,
        e.pending_after - COALESCE(p.pending_after, 0) AS pending,
        -- The days of the last award or redemption before it, and of the last that was the same.
        (active.effective_at AT TIME ZONE %(zone)s)::date AS active_on,
        (same.effective_at AT TIME ZONE %(zone)s)::date AS same_on
    FROM taken e
    JOIN points_pointaccount a ON a.id = e.account_id
    LEFT JOIN points_pointtransaction p ON p.account_id = e.account_id AND p.version = e.version - 1
    LEFT JOIN LATERAL (
        SELECT q.effective_at FROM points_pointtransaction q
        WHERE e.type IN ('award', 'redeem') AND q.account_id = e.account_id AND q.version < e.version
            AND q.type IN ('award', 'redeem') ORDER BY q.version DESC LIMIT 1
    ) active ON TRUE
    LEFT JOIN LATERAL (
        SELECT q.effective_at FROM points_pointtransaction q
        WHERE e.type IN ('award', 'redeem') AND q.account_id = e.account_id AND q.version < e.version
            AND q.type = e.type ORDER BY q.version DESC LIMIT 1
    ) same ON TRUE
)"""

# Of each entry by itself, beside what came before it in the account.
_OF_ENTRIES = """
of_entries AS (
    SELECT b.definition_id, f.measure, b.day, f.key, f.value FROM batch b CROSS JOIN LATERAL (VALUES
        (CASE b.type WHEN 'award' THEN 'earned' WHEN 'activate' THEN 'activated' WHEN 'adjust' THEN 'adjusted'
            WHEN 'reverse' THEN 'reversed' WHEN 'redeem' THEN 'redeemed' WHEN 'expire' THEN 'expired'
            ELSE 'transferred' END, '', b.points - b.pending),
        ('pending', '', b.pending),
        ('new', '', (b.version = 1)::int)
    ) AS f (measure, key, value)
    UNION ALL
    SELECT b.definition_id, f.measure, COALESCE(f.day, b.day), f.key, f.value FROM batch b CROSS JOIN LATERAL (VALUES
        ('active', NULL::date, '', (b.active_on IS DISTINCT FROM b.day)::int),
        ('month_active', NULL, '', (date_trunc('month', b.active_on) IS DISTINCT FROM date_trunc('month', b.day))::int),
        ('last_active', NULL, '', 1),
        ('last_active', b.active_on, '', -(b.active_on IS NOT NULL)::int)
    ) AS f (measure, day, key, value)
    WHERE b.type IN ('award', 'redeem')
    UNION ALL
    SELECT b.definition_id, f.measure, b.day, f.key, f.value FROM batch b CROSS JOIN LATERAL (VALUES
        ('awards', '', 1),
        ('awarded', '', b.points),
        ('earners', '', (b.same_on IS DISTINCT FROM b.day)::int),
        ('month_earners', '', (date_trunc('month', b.same_on) IS DISTINCT FROM date_trunc('month', b.day))::int)
    ) AS f (measure, key, value)
    WHERE b.type = 'award'
    UNION ALL
    SELECT b.definition_id, f.measure, b.day, f.key, f.value FROM batch b CROSS JOIN LATERAL (VALUES
        ('redemptions', '', 1),
        ('redemption_size', (%(sizes)s::numeric[])[width_bucket(-b.points, %(sizes)s::numeric[])]::text, 1),
        ('redeemers', '', (b.same_on IS DISTINCT FROM b.day)::int),
        ('month_redeemers', '', (date_trunc('month', b.same_on) IS DISTINCT FROM date_trunc('month', b.day))::int)
    ) AS f (measure, key, value)
    WHERE b.type = 'redeem'
)"""

# Which lots an entry made, and which it used; what went into a hold or came out of one is owned as before.
_OF_LOTS = """
lots AS MATERIALIZED (
    SELECT l.*, b.day, b.effective_at, b.definition_id FROM batch b
    JOIN points_pointlot l ON l.id = b.id AND l.account_id = b.account_id
    UNION ALL
    -- What comes from another account is in lots of their own ids.
    SELECT l.*, b.day, b.effective_at, b.definition_id FROM batch b
    JOIN points_pointlot l
        ON l.account_id = b.account_id AND l.origin_id IS NOT NULL AND l.entry_id = b.id AND l.id <> b.id
    WHERE b.type IN ('transfer', 'merge', 'reverse')
), used AS MATERIALIZED (
    SELECT u.points AS used, u.pays_debt, b.type, b.version AS at_version, b.day, b.effective_at, b.definition_id,
        l.id, l.account_id, l.points, l.origin_id, l.active_from, l.expires_at, l.inactivity_months
    FROM batch b
    JOIN points_lotuse u ON u.account_id = b.account_id AND u.entry_id = b.id AND NOT u.is_held
    LEFT JOIN points_pointlot l ON l.account_id = u.account_id AND l.id = u.lot_id
), moved AS (
    SELECT definition_id, day, account_id, id, active_from, expires_at, inactivity_months, points AS value,
        CASE WHEN active_from > effective_at THEN points ELSE 0 END AS pending
    FROM lots
    UNION ALL
    SELECT definition_id, day, account_id, id, active_from, expires_at, inactivity_months, -used,
        CASE WHEN active_from > effective_at THEN -used ELSE 0 END
    FROM used
    UNION ALL
    -- An activation names the lot by a use of nothing: what is left of it by then is pending no more.
    SELECT u.definition_id, u.day, u.account_id, u.id, u.active_from, u.expires_at, u.inactivity_months, 0,
        COALESCE(before.used, 0) - u.points
    FROM used u LEFT JOIN LATERAL (
        SELECT sum(o.points) AS used FROM points_lotuse o
        JOIN points_pointtransaction e ON e.account_id = o.account_id AND e.id = o.entry_id
        WHERE o.account_id = u.account_id AND o.lot_id = u.id AND NOT o.is_held AND e.version < u.at_version
    ) before ON TRUE
    WHERE u.type = 'activate' AND NOT u.pays_debt AND u.id IS NOT NULL
), of_lots AS (
    SELECT m.definition_id, f.measure, m.day, CASE
        WHEN m.id IS NULL THEN 'debt' WHEN m.inactivity_months IS NOT NULL THEN 'inactivity'
        WHEN m.expires_at IS NULL THEN 'never'
        -- Of the entry that will tell of it: what ends as a day begins expires on that one.
        ELSE to_char(m.expires_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD')
    END AS key, f.value
    FROM moved m CROSS JOIN LATERAL (VALUES ('owed', m.value), ('owed_pending', m.pending)) AS f (measure, value)
    UNION ALL
    SELECT u.definition_id, f.measure, u.day, f.key, f.value FROM used u
    -- A lot that came from no other account has the id of the entry that made it.
    JOIN points_pointtransaction e ON e.program_id = %(program)s AND e.id = COALESCE(u.origin_id, u.id)
    CROSS JOIN LATERAL (VALUES
        ('cohort', to_char(e.effective_at AT TIME ZONE %(zone)s, 'YYYY-MM'), u.used),
        ('redeemed_seconds', '', round(u.used * extract(epoch FROM u.effective_at - e.effective_at), 2))
    ) AS f (measure, key, value)
    WHERE u.type = 'redeem'
)"""

_OF_REWARDS = """
of_rewards AS (
    SELECT b.definition_id, f.measure, b.day, r.reward_id::text AS key, f.value FROM batch b
    JOIN rewards_redemption r ON r.program_id = %(program)s AND r.code = b.reference AND r.entry_id = b.id
    CROSS JOIN LATERAL (VALUES ('reward', 1), ('reward_points', -b.points)) AS f (measure, value)
    WHERE b.type = 'redeem' AND r.reward_id IS NOT NULL
)"""

# What a purchase cost is said by the shop's order, or by what an import or the caller noted with the entry.
_OF_PURCHASES = """
purchases AS MATERIALIZED (
    SELECT b.definition_id, b.account_id, b.day, b.type = 'redeem' AS redeemed, COALESCE(o.total, CASE
        WHEN b.type = 'award' AND n.amount ~ '^[0-9]{1,12}([.][0-9]{1,12})?$' THEN round(n.amount::numeric, 2)
    END, 0) AS spend
    FROM batch b
    LEFT JOIN points_order o ON o.program_id = %(program)s AND o.number = b.reference
        AND (o.award_id = b.id OR o.redemption_id = b.id AND o.award_id IS NULL)
    CROSS JOIN LATERAL (
        SELECT b.metadata->>CASE WHEN b.actor = 'import' THEN 'amount' ELSE 'order_total' END AS amount
    ) n
    WHERE b.type IN ('award', 'redeem')
), came AS (
    SELECT account_id, definition_id, date_trunc('month', day)::date AS month, sum(spend) AS spend,
        bool_or(redeemed) AS redeemed
    FROM purchases GROUP BY account_id, definition_id, date_trunc('month', day)
    HAVING sum(spend) > 0 OR bool_or(redeemed)
), months AS MATERIALIZED (
    SELECT c.*, COALESCE(m.spend, 0) AS old_spend, COALESCE(m.redeemed, FALSE) AS had_redeemed,
        m.month IS NOT NULL AS is_known
    FROM came c LEFT JOIN reports_accountmonth m ON m.account_id = c.account_id AND m.month = c.month
), kept AS (
    INSERT INTO reports_accountmonth (account_id, month, definition_id, spend, redeemed)
    SELECT account_id, month, definition_id, spend, redeemed FROM months
    ON CONFLICT (account_id, month) DO UPDATE SET spend = reports_accountmonth.spend + EXCLUDED.spend,
        redeemed = reports_accountmonth.redeemed OR EXCLUDED.redeemed
), of_months AS (
    SELECT m.definition_id, f.measure, m.month, '' AS key, f.value FROM months m CROSS JOIN LATERAL (VALUES
        ('redeeming', (m.redeemed OR m.had_redeemed)::int - m.had_redeemed::int),
        ('redeeming_spend', CASE WHEN m.redeemed OR m.had_redeemed THEN m.spend ELSE 0 END
            + CASE WHEN m.redeemed AND NOT m.had_redeemed THEN m.old_spend ELSE 0 END),
        ('others', (NOT (m.redeemed OR m.had_redeemed))::int - (m.is_known AND NOT m.had_redeemed)::int),
        ('others_spend', CASE WHEN m.redeemed OR m.had_redeemed THEN 0 ELSE m.spend END
            - CASE WHEN m.redeemed AND NOT m.had_redeemed THEN m.old_spend ELSE 0 END)
    ) AS f (measure, value)
)"""

_SIZES = f"ARRAY[{', '.join(map(str, SIZES))}]"

ADD = f"""
WITH {_BATCH}, {_OF_ENTRIES.replace("%(sizes)s", _SIZES)}, {_OF_LOTS}, {_OF_REWARDS}, {_OF_PURCHASES}, added AS (
    INSERT INTO reports_figure (definition_id, measure, day, key, value)
    SELECT definition_id, measure, day, key, sum(value) FROM (
        SELECT * FROM of_entries UNION ALL SELECT * FROM of_lots UNION ALL SELECT * FROM of_rewards
        UNION ALL SELECT * FROM of_months
    ) AS figures GROUP BY definition_id, measure, day, key HAVING sum(value) <> 0
    ON CONFLICT (definition_id, measure, day, key) DO UPDATE SET value = reports_figure.value + EXCLUDED.value
)
SELECT (SELECT count(*) FROM taken), last.number, last.id
FROM (SELECT 1) AS always LEFT JOIN (
    -- Under another name: as text, 999 comes after 1000.
    SELECT xid::text AS number, id FROM taken ORDER BY xid DESC, id DESC LIMIT 1
) AS last ON TRUE
"""

# What is counted is known before anything is written: events wait for a transaction that writes, and not for one that
# looks at all accounts. A tier that nobody holds any more is held by none.
TIERS = """
WITH held AS MATERIALIZED (
    SELECT d.id AS definition_id, (%(at)s AT TIME ZONE p.timezone)::date AS day, COALESCE(a.tier_id::text, '') AS key,
        a.accounts
    FROM (
        SELECT definition_id, tier_id, count(*) AS accounts FROM points_pointaccount
        WHERE merged_into_id IS NULL AND closed_at IS NULL GROUP BY definition_id, tier_id
    ) AS a
    JOIN points_pointdefinition d ON d.id = a.definition_id AND d.counts_for_tiers
    JOIN loyalty_program p ON p.id = d.program_id
), left_by_all AS (
    UPDATE reports_figure f SET value = 0 FROM points_pointdefinition d JOIN loyalty_program p ON p.id = d.program_id
    WHERE f.definition_id = d.id AND f.measure = 'tier' AND f.day = (%(at)s AT TIME ZONE p.timezone)::date
        AND NOT EXISTS (SELECT FROM held h WHERE h.definition_id = f.definition_id AND h.key = f.key)
), counted AS (
    INSERT INTO reports_figure (definition_id, measure, day, key, value)
    SELECT definition_id, 'tier', day, key, accounts FROM held
    ON CONFLICT (definition_id, measure, day, key) DO UPDATE SET value = EXCLUDED.value
    RETURNING value
)
SELECT COALESCE(sum(value), 0) FROM counted
"""
