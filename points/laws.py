"""The laws of the ledger, each as a query that answers the ids of the accounts that break it.

`{accounts}`, `{entries}`, `{lots}`, `{uses}`, `{holds}`, `{events}` and `{changes}`, of tiers, stand for the tables, or
for one programme's rows of them.
"""

from points.past import EARNED

# An entry `e` beside the one before it, `p`.
_STEPS = "{entries} e LEFT JOIN {entries} p ON p.account_id = e.account_id AND p.version = e.version - 1"

# The entry `t` that an entry `e` undoes; it may be of an account that was merged into this one.
_UNDONE = "LEFT JOIN {entries} t ON t.account_id = COALESCE(e.other_account_id, e.account_id) AND t.id = e.reverses_id"

# Each account with itself and all that were merged into it, by one merge after another.
_FAMILY = """
WITH RECURSIVE family AS (
    SELECT id AS account_id, id AS member_id FROM {accounts} a
    UNION ALL
    SELECT f.account_id, a.id FROM family f JOIN {accounts} a ON a.merged_into_id = f.member_id
)
"""

# An open lot `l`, its account `a`, and the moment when it starts or, once it has started, ends.
_MOMENTS = """
{lots} l JOIN {accounts} a ON a.id = l.account_id JOIN loyalty_program g ON g.id = a.program_id,
LATERAL (SELECT CASE
    WHEN l.active_from > a.effective_at THEN l.active_from
    WHEN l.inactivity_months IS NULL THEN l.expires_at
    ELSE points_months_after(GREATEST(a.last_activity_at, l.active_from), l.inactivity_months, g.timezone)
END AS moment) m
WHERE l.remaining > 0
"""

_ENTRIES = {
    "versions are 1, 2, 3 … without a gap": """
        SELECT a.id FROM {accounts} a LEFT JOIN {entries} e ON e.account_id = a.id
        GROUP BY a.id, a.version
        HAVING (count(e.version), COALESCE(min(e.version), 1), COALESCE(max(e.version), 0))
            <> (a.version, 1, a.version)""",
    "an entry's balance before is what the one before it left": f"""
        SELECT DISTINCT e.account_id FROM {_STEPS}
        WHERE e.balance_before <> COALESCE(p.balance_after, 0)""",
    "an entry's points are what it changes": f"""
        SELECT DISTINCT e.account_id FROM {_STEPS}
        WHERE e.points <> e.balance_after + e.pending_after + e.held_after
            - COALESCE(p.balance_after + p.pending_after + p.held_after, 0)""",
    "the account counts the entries that lists tell": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT account_id, count(*) AS entries FROM {entries} e
            WHERE type NOT IN ('activate', 'hold', 'release') GROUP BY account_id
        ) e ON e.account_id = a.id
        WHERE a.listed <> COALESCE(e.entries, 0)""",
    "time never goes back": f"""
        SELECT DISTINCT e.account_id FROM {_STEPS} WHERE e.effective_at < p.effective_at""",
    "points have the sign of what the entry does": """
        SELECT DISTINCT e.account_id FROM {entries} e WHERE CASE e.type
            WHEN 'award' THEN e.points <= 0
            WHEN 'redeem' THEN e.points >= 0
            -- The balance of another system, where it was the same already.
            WHEN 'adjust' THEN e.points = 0 AND e.source IS DISTINCT FROM 'UpdateBalance'
            WHEN 'expire' THEN e.points >= 0
            WHEN 'activate' THEN e.points <> 0
            WHEN 'hold' THEN e.points <> 0
            WHEN 'release' THEN e.points <> 0
            WHEN 'transfer' THEN e.points = 0
            ELSE e.type NOT IN ('reverse', 'merge') END
        OR (e.shortfall > 0 AND e.type <> 'reverse')""",
    "only awards in advance, their start and their end change what is pending": f"""
        SELECT DISTINCT e.account_id FROM {_STEPS} JOIN {{accounts}} a ON a.id = e.account_id,
        LATERAL (SELECT e.pending_after - COALESCE(p.pending_after, 0) AS pending) d
        WHERE CASE e.type
            WHEN 'award' THEN d.pending <> CASE WHEN e.valid_from IS NULL THEN 0 ELSE e.points END
            WHEN 'activate' THEN d.pending >= 0
            WHEN 'reverse' THEN d.pending NOT IN (0, LEAST(e.points, 0))
            -- All points of a customer who is erased.
            WHEN 'expire' THEN d.pending > 0 OR (d.pending < 0 AND a.closed_at IS NULL)
            ELSE e.type <> 'merge' AND d.pending <> 0 END""",
    "only holds and what becomes of them change what is held": f"""
        SELECT DISTINCT e.account_id FROM {_STEPS},
        LATERAL (SELECT e.held_after - COALESCE(p.held_after, 0) AS held, e.balance_after - e.balance_before AS free) d
        WHERE CASE e.type
            WHEN 'hold' THEN d.held <= 0 OR d.free <> -d.held
            WHEN 'release' THEN d.held >= 0 OR d.free <> -d.held
            WHEN 'redeem' THEN (d.held, d.free) NOT IN ((0, e.points), (e.points, 0))
            ELSE e.type <> 'merge' AND d.held <> 0 END""",
    "a unit is reversed at most once": """
        SELECT DISTINCT t.account_id FROM {entries} t JOIN (
            SELECT COALESCE(other_account_id, account_id) AS account_id, reverses_id,
                SUM(abs(points) + shortfall) AS undone, min(points), max(points)
            FROM {entries} e WHERE reverses_id IS NOT NULL GROUP BY 1, 2
        ) r ON r.account_id = t.account_id AND r.reverses_id = t.id
        WHERE r.undone > abs(t.points) OR t.type NOT IN ('award', 'redeem', 'adjust')
        OR CASE WHEN t.points > 0 THEN r.max > 0 ELSE r.min <= 0 END""",
    "a reversal undoes an entry of its account, or of one that was merged into it": f"""
        {_FAMILY} SELECT DISTINCT e.account_id FROM {{entries}} e {_UNDONE}
        LEFT JOIN family f ON f.account_id = e.account_id AND f.member_id = t.account_id
        WHERE e.reverses_id IS NOT NULL AND (t.id IS NULL OR f.account_id IS NULL)""",
    "what one account gives, another gets": """
        SELECT e.account_id FROM {entries} e
        LEFT JOIN {entries} o ON o.account_id = e.other_account_id AND o.id = e.other_entry_id
        WHERE e.type IN ('transfer', 'merge')
        AND (o.type, o.points, o.other_account_id, o.other_entry_id)
            IS DISTINCT FROM (e.type, -e.points, e.account_id, e.id)""",
}

_ACCOUNTS = {
    "balance, pending and held are the sum of the entries' points": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT account_id, SUM(points) AS points FROM {entries} e GROUP BY account_id
        ) e ON e.account_id = a.id
        WHERE a.balance + a.pending + a.held <> COALESCE(e.points, 0)""",
    "the account says what its newest entry says": """
        SELECT a.id FROM {accounts} a LEFT JOIN {entries} e ON e.account_id = a.id AND e.version = a.version
        WHERE (a.balance, a.pending, a.held, a.effective_at) IS DISTINCT FROM (
            COALESCE(e.balance_after, 0), COALESCE(e.pending_after, 0), COALESCE(e.held_after, 0), e.effective_at
        )""",
    "the last activity is the last award or redemption": f"""
        {_FAMILY} SELECT a.id FROM {{accounts}} a LEFT JOIN (
            SELECT f.account_id, max(e.effective_at) AS at
            FROM family f JOIN {{entries}} e ON e.account_id = f.member_id AND e.type IN ('award', 'redeem')
            GROUP BY f.account_id
        ) e ON e.account_id = a.id
        WHERE a.last_activity_at IS DISTINCT FROM e.at""",
    "the balance is what the active lots hold, less the debt": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT l.account_id, SUM(l.remaining) AS points FROM {lots} l JOIN {accounts} a ON a.id = l.account_id
            WHERE l.active_from IS NULL OR l.active_from <= a.effective_at GROUP BY l.account_id
        ) l ON l.account_id = a.id LEFT JOIN (
            SELECT account_id, SUM(points) AS points FROM {uses} u WHERE lot_id IS NULL GROUP BY account_id
        ) u ON u.account_id = a.id
        WHERE a.balance <> COALESCE(l.points, 0) - COALESCE(u.points, 0)""",
    "what is pending is what the pending lots hold": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT l.account_id, SUM(l.remaining) AS points FROM {lots} l JOIN {accounts} a ON a.id = l.account_id
            WHERE l.active_from > a.effective_at GROUP BY l.account_id
        ) l ON l.account_id = a.id
        WHERE a.pending <> COALESCE(l.points, 0)""",
    "debt and free points never exist together": """
        SELECT a.id FROM {accounts} a JOIN (
            SELECT account_id, SUM(points) AS points FROM {uses} u WHERE lot_id IS NULL GROUP BY account_id
        ) u ON u.account_id = a.id
        WHERE u.points < 0 OR (u.points > 0 AND EXISTS (
            SELECT FROM {lots} l WHERE l.account_id = a.id AND l.remaining > 0
            AND (l.active_from IS NULL OR l.active_from <= a.effective_at)
        ))""",
    "what is held is what its holds have": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT account_id, SUM(points) AS points FROM {holds} h WHERE status = 'active' GROUP BY account_id
        ) h ON h.account_id = a.id
        WHERE a.held <> COALESCE(h.points, 0)""",
    "the lifetimes follow from the entries": f"""
        {_FAMILY} SELECT a.id FROM {{accounts}} a LEFT JOIN (
            SELECT f.account_id,
                SUM(CASE
                    WHEN e.type = 'award' AND e.valid_from IS NULL THEN e.points
                    WHEN e.type = 'activate' THEN e.balance_after - e.balance_before
                    WHEN t.type = 'award' THEN e.balance_after - e.balance_before - e.shortfall
                END) AS earned,
                SUM(CASE WHEN e.type = 'redeem' OR t.type = 'redeem' THEN -e.points END) AS redeemed,
                SUM(CASE WHEN e.type = 'expire' THEN -e.points END) AS expired
            FROM family f JOIN {{entries}} e ON e.account_id = f.member_id {_UNDONE}
            GROUP BY f.account_id
        ) e ON e.account_id = a.id
        WHERE (a.lifetime_earned, a.lifetime_redeemed, a.lifetime_expired)
            <> (COALESCE(e.earned, 0), COALESCE(e.redeemed, 0), COALESCE(e.expired, 0))""",
    "nothing starts or ends before the account is due": f"""
        SELECT a.id FROM {_MOMENTS} AND m.moment < COALESCE(a.next_due_at, 'infinity')
        UNION
        SELECT a.id FROM {{holds}} h JOIN {{accounts}} a ON a.id = h.account_id
        WHERE h.status = 'active' AND h.expires_at < COALESCE(a.next_due_at, 'infinity')""",
    "nothing is left of a lot, or of a hold, whose end has been settled": f"""
        SELECT a.id FROM {_MOMENTS} AND m.moment <= a.effective_at
        UNION
        SELECT a.id FROM {{holds}} h JOIN {{accounts}} a ON a.id = h.account_id
        WHERE h.status = 'active' AND h.expires_at <= a.effective_at""",
    "an account that is over has nothing, and stands for one of the same points": """
        SELECT a.id FROM {accounts} a LEFT JOIN {accounts} o ON o.id = a.merged_into_id
        WHERE ((a.merged_into_id IS NOT NULL OR a.closed_at IS NOT NULL)
            AND (a.balance, a.pending, a.held) <> (0, 0, 0))
        OR (a.merged_into_id IS NOT NULL AND a.definition_id IS DISTINCT FROM o.definition_id)""",
}

_LOTS = {
    "what is left of a lot is its points less its uses": """
        SELECT DISTINCT l.account_id FROM {lots} l LEFT JOIN (
            SELECT account_id, lot_id, SUM(points) AS points FROM {uses} u GROUP BY account_id, lot_id
        ) u ON u.account_id = l.account_id AND u.lot_id = l.id
        WHERE l.remaining <> l.points - COALESCE(u.points, 0)""",
    "an entry's points are what its lots brought, less what it used, and what went into holds": f"""
        SELECT DISTINCT e.account_id FROM {_STEPS}
        LEFT JOIN (
            SELECT account_id, entry_id, SUM(points) AS points FROM {{lots}} l GROUP BY account_id, entry_id
        ) l ON l.account_id = e.account_id AND l.entry_id = e.id
        LEFT JOIN (
            SELECT account_id, entry_id, SUM(points) AS points FROM {{uses}} u GROUP BY account_id, entry_id
        ) u ON u.account_id = e.account_id AND u.entry_id = e.id
        WHERE e.points <> COALESCE(l.points, 0) - COALESCE(u.points, 0) + e.held_after - COALESCE(p.held_after, 0)""",
    "awards and positive adjustments bring a lot as they say, and nothing else does": """
        SELECT DISTINCT COALESCE(e.account_id, l.account_id)
        FROM {entries} e FULL JOIN (SELECT * FROM {lots} l WHERE origin_id IS NULL) l
        ON l.account_id = e.account_id AND l.id = e.id AND l.entry_id = e.id
        WHERE (l.id IS NOT NULL) IS DISTINCT FROM (e.type = 'award' OR (e.type = 'adjust' AND e.points > 0))
        OR (l.id IS NOT NULL AND (l.version, l.points, l.expires_at, l.active_from) IS DISTINCT FROM (
            e.version, e.points, e.expires_at,
            CASE WHEN l.inactivity_months IS NULL THEN e.valid_from ELSE COALESCE(e.valid_from, e.effective_at) END
        ))""",
    "a lot of another account's points comes with an entry that names it": """
        SELECT DISTINCT l.account_id FROM {lots} l
        LEFT JOIN {entries} e ON e.account_id = l.account_id AND e.id = l.entry_id
        WHERE l.origin_id IS NOT NULL AND (
            l.version IS DISTINCT FROM e.version
            -- A debt that is reversed may have been paid before a merge.
            OR (e.other_account_id IS NULL AND e.type <> 'reverse')
        )""",
    "an entry that activates moves what the lots that it names hold": """
        SELECT DISTINCT e.account_id FROM {entries} e WHERE e.type = 'activate'
        AND e.balance_after - e.balance_before <> (
            SELECT COALESCE(SUM(l.points - COALESCE((
                SELECT SUM(b.points) FROM {uses} b JOIN {entries} o ON o.account_id = b.account_id AND o.id = b.entry_id
                WHERE b.account_id = l.account_id AND b.lot_id = l.id AND o.version < e.version
            ), 0)), 0)
            FROM {uses} u JOIN {lots} l ON l.account_id = u.account_id AND l.id = u.lot_id
            WHERE u.account_id = e.account_id AND u.entry_id = e.id AND u.points = 0
            AND l.active_from <= e.effective_at
        )""",
    "a lot pays between its start and its end": """
        SELECT DISTINCT u.account_id FROM {uses} u
        JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        JOIN {lots} l ON l.account_id = u.account_id AND l.id = u.lot_id
        WHERE e.type IN ('redeem', 'adjust', 'hold', 'transfer')
        -- What a capture takes was set aside before.
        AND (e.type = 'hold' OR e.points = e.balance_after - e.balance_before)
        AND (l.active_from > e.effective_at OR l.expires_at <= e.effective_at)""",
    "the clock expires a lot at its end": """
        SELECT DISTINCT u.account_id FROM {uses} u
        JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        JOIN {lots} l ON l.account_id = u.account_id AND l.id = u.lot_id
        LEFT JOIN {entries} p ON p.account_id = e.account_id AND p.version = e.version - 1
        WHERE e.type = 'expire' AND e.actor = 'clock'
        -- What a hold that lapsed gave back to it had to wait until then.
        AND (l.expires_at > e.effective_at OR (l.expires_at < e.effective_at AND p.type IS DISTINCT FROM 'release'))""",
    "what is set aside of a lot is what its holds are pinned to": """
        SELECT COALESCE(u.account_id, h.account_id) FROM (
            SELECT account_id, lot_id, SUM(points) AS points FROM {uses} u WHERE is_held
            GROUP BY account_id, lot_id HAVING SUM(points) <> 0
        ) u FULL JOIN (
            SELECT h.account_id, (pin ->> 0)::uuid AS lot_id, SUM((pin ->> 1)::numeric) AS points
            FROM {holds} h, jsonb_array_elements(h.pins) pin WHERE h.status = 'active' GROUP BY 1, 2
        ) h ON h.account_id = u.account_id AND h.lot_id = u.lot_id
        WHERE u.points IS DISTINCT FROM h.points""",
    "a hold was resolved by an entry that says how": """
        SELECT h.account_id FROM {holds} h
        LEFT JOIN {entries} e ON e.account_id = h.account_id AND e.id = h.resolved_by_id
        WHERE h.status <> 'active' AND CASE h.status
            WHEN 'captured' THEN (e.type, e.points) IS DISTINCT FROM ('redeem', -h.captured_points)
            WHEN 'moved' THEN e.type IS DISTINCT FROM 'merge'
            ELSE e.type IS DISTINCT FROM 'release' END""",
    "what an expiry uses is known for it": """
        SELECT DISTINCT u.account_id FROM {uses} u
        JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        WHERE u.is_expiry <> (e.type = 'expire')""",
    "only adjustments, reversals and merges make a debt": """
        SELECT DISTINCT u.account_id FROM {uses} u
        JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        WHERE u.lot_id IS NULL AND u.points > 0 AND e.type NOT IN ('adjust', 'reverse', 'merge')""",
    "what pays a debt makes it smaller by as much": """
        SELECT DISTINCT e.account_id FROM {entries} e
        JOIN {uses} u ON u.account_id = e.account_id AND u.entry_id = e.id
        WHERE e.type IN ('award', 'activate', 'release') OR (e.type IN ('adjust', 'transfer') AND e.points > 0)
        GROUP BY e.account_id, e.id
        HAVING SUM(u.points) FILTER (WHERE u.pays_debt) IS DISTINCT FROM -SUM(u.points) FILTER (WHERE u.lot_id IS NULL)
        OR bool_or(u.lot_id IS NOT NULL AND NOT u.pays_debt AND NOT u.is_held AND u.points <> 0)""",
}

_TIERS = {
    "what was earned by month adds up to all that was earned": """
        SELECT a.id FROM {accounts} a LEFT JOIN LATERAL (
            SELECT SUM(value::numeric) AS points FROM jsonb_each_text(a.tallies) WHERE starts_with(key, 'earned/')
        ) t ON TRUE
        WHERE a.lifetime_earned <> COALESCE(t.points, 0)""",
    # An account remembers the two years before its last award, and this asks for no more.
    "a month that is remembered is what the entries earned in it": f"""
        {_FAMILY} SELECT DISTINCT a.id FROM (
            SELECT a.id AS account_id, substr(key, 8) AS month, value::numeric AS points
            FROM {{accounts}} a, jsonb_each_text(a.tallies) WHERE starts_with(key, 'earned/') AND key <> 'earned/before'
        ) r FULL JOIN (
            SELECT f.account_id, to_char(e.at AT TIME ZONE g.timezone, 'YYYY-MM') AS month, SUM(e.points) AS points
            FROM family f JOIN ({EARNED}) e ON e.account_id = f.member_id
            JOIN {{accounts}} a ON a.id = e.account_id JOIN loyalty_program g ON g.id = a.program_id
            GROUP BY 1, 2
        ) e ON e.account_id = r.account_id AND e.month = r.month
        JOIN {{accounts}} a ON a.id = COALESCE(r.account_id, e.account_id)
        JOIN loyalty_program g ON g.id = a.program_id
        WHERE CASE
            WHEN r.points IS NOT NULL THEN r.points <> COALESCE(e.points, 0)
            ELSE e.points <> 0
                AND e.month >= to_char(a.effective_at AT TIME ZONE g.timezone - interval '24 months', 'YYYY-MM')
        END""",
    "the tier is the one that the newest change came to": """
        SELECT a.id FROM {accounts} a JOIN (
            SELECT DISTINCT ON (account_id) account_id, to_tier_id FROM {changes} c
            ORDER BY account_id, effective_at DESC, id DESC
        ) c ON c.account_id = a.id
        WHERE a.tier_id IS DISTINCT FROM c.to_tier_id""",
    "a change of tier goes on from the one before": """
        SELECT DISTINCT account_id FROM (
            SELECT account_id, from_tier_id, to_tier_id, lag(to_tier_id) OVER w AS before, row_number() OVER w AS n
            FROM {changes} c WINDOW w AS (PARTITION BY account_id ORDER BY effective_at, id)
        ) c
        WHERE from_tier_id IS NOT DISTINCT FROM to_tier_id OR (n > 1 AND from_tier_id IS DISTINCT FROM before)""",
    "a change of tier comes with the entry that it names": """
        SELECT DISTINCT c.account_id FROM {changes} c
        LEFT JOIN {entries} e ON e.account_id = c.account_id AND e.id = c.entry_id
        WHERE c.entry_id IS NOT NULL AND e.effective_at IS DISTINCT FROM c.effective_at""",
}

_BELONGING = {
    "every row belongs to the programme of its account": """
        SELECT a.id FROM {accounts} a
        LEFT JOIN cards_customer c ON c.id = a.customer_id LEFT JOIN points_pointdefinition d ON d.id = a.definition_id
        WHERE (c.program_id, d.program_id) IS DISTINCT FROM (a.program_id, a.program_id)
        UNION
        SELECT e.account_id FROM {entries} e LEFT JOIN {accounts} a ON a.id = e.account_id
        LEFT JOIN cards_card c ON c.id = e.card_id
        WHERE e.program_id IS DISTINCT FROM a.program_id
        OR (e.card_id IS NOT NULL AND c.program_id IS DISTINCT FROM a.program_id)
        UNION
        SELECT l.account_id FROM {lots} l LEFT JOIN {accounts} a ON a.id = l.account_id
        WHERE l.program_id IS DISTINCT FROM a.program_id
        UNION
        SELECT c.account_id FROM {changes} c LEFT JOIN {accounts} a ON a.id = c.account_id
        WHERE c.program_id IS DISTINCT FROM a.program_id
        UNION
        SELECT h.account_id FROM {holds} h LEFT JOIN {accounts} a ON a.id = h.account_id
        WHERE h.program_id IS DISTINCT FROM a.program_id
        UNION
        SELECT e.account_id FROM {entries} e JOIN points_pointaccount o ON o.id = e.other_account_id
        WHERE o.program_id <> e.program_id
        UNION
        SELECT a.id FROM {accounts} a JOIN tiers_tier t ON t.id = a.tier_id WHERE t.program_id <> a.program_id""",
    "every use names an entry and a lot of its account": """
        SELECT DISTINCT u.account_id FROM {uses} u
        LEFT JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        LEFT JOIN {lots} l ON l.account_id = u.account_id AND l.id = u.lot_id
        WHERE e.id IS NULL OR (u.lot_id IS NOT NULL AND l.id IS NULL)""",
    "an event tells the entry of its number": """
        SELECT DISTINCT v.account_id FROM {events} v
        LEFT JOIN {entries} e ON e.account_id = v.account_id AND e.version = v.sequence
        LEFT JOIN {accounts} a ON a.id = v.account_id
        WHERE v.sequence IS NOT NULL
        AND (e.id, a.program_id, a.customer_id) IS DISTINCT FROM (v.subject_id, v.program_id, v.customer_id)""",
}

LAWS = _ENTRIES | _ACCOUNTS | _LOTS | _TIERS | _BELONGING
