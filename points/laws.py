"""The laws of the ledger, each as a query that answers the ids of the accounts that break it.

`{accounts}`, `{entries}`, `{lots}`, `{uses}` and `{changes}`, of tiers, stand for the tables, or for one programme's
rows of them.
"""

from points.past import EARNED

# An entry `e` beside the one before it, `p`.
_STEPS = "{entries} e LEFT JOIN {entries} p ON p.account_id = e.account_id AND p.version = e.version - 1"

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
        WHERE e.points <> e.balance_after + e.pending_after - COALESCE(p.balance_after + p.pending_after, 0)""",
    "the account counts the entries that lists tell": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT account_id, count(*) AS entries FROM {entries} e WHERE type <> 'activate' GROUP BY account_id
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
            ELSE e.type <> 'reverse' END
        OR (e.shortfall > 0 AND e.type <> 'reverse')""",
    "only awards in advance, their start and their reversal change what is pending": f"""
        SELECT DISTINCT e.account_id FROM {_STEPS},
        LATERAL (SELECT e.pending_after - COALESCE(p.pending_after, 0) AS pending) d
        WHERE CASE e.type
            WHEN 'award' THEN d.pending <> CASE WHEN e.valid_from IS NULL THEN 0 ELSE e.points END
            WHEN 'activate' THEN d.pending >= 0
            WHEN 'reverse' THEN d.pending NOT IN (0, LEAST(e.points, 0))
            ELSE d.pending <> 0 END""",
    "a unit is reversed at most once": """
        SELECT DISTINCT t.account_id FROM {entries} t JOIN (
            SELECT account_id, reverses_id, SUM(abs(points) + shortfall) AS undone, min(points), max(points)
            FROM {entries} e WHERE reverses_id IS NOT NULL GROUP BY account_id, reverses_id
        ) r ON r.account_id = t.account_id AND r.reverses_id = t.id
        WHERE r.undone > abs(t.points) OR t.type NOT IN ('award', 'redeem', 'adjust')
        OR CASE WHEN t.points > 0 THEN r.max > 0 ELSE r.min <= 0 END""",
}

_ACCOUNTS = {
    "balance and pending are the sum of the entries' points": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT account_id, SUM(points) AS points FROM {entries} e GROUP BY account_id
        ) e ON e.account_id = a.id
        WHERE a.balance + a.pending <> COALESCE(e.points, 0)""",
    "the account says what its newest entry says": """
        SELECT a.id FROM {accounts} a LEFT JOIN {entries} e ON e.account_id = a.id AND e.version = a.version
        WHERE (a.balance, a.pending, a.effective_at)
            IS DISTINCT FROM (COALESCE(e.balance_after, 0), COALESCE(e.pending_after, 0), e.effective_at)""",
    "the last activity is the last award or redemption": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT account_id, max(effective_at) AS at FROM {entries} e WHERE type IN ('award', 'redeem')
            GROUP BY account_id
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
    "the lifetimes follow from the entries": """
        SELECT a.id FROM {accounts} a LEFT JOIN (
            SELECT e.account_id,
                SUM(CASE
                    WHEN e.type = 'award' AND e.valid_from IS NULL THEN e.points
                    WHEN e.type = 'activate' THEN e.balance_after - e.balance_before
                    WHEN t.type = 'award' THEN e.balance_after - e.balance_before - e.shortfall
                END) AS earned,
                SUM(CASE WHEN e.type = 'redeem' OR t.type = 'redeem' THEN -e.points END) AS redeemed,
                SUM(CASE WHEN e.type = 'expire' THEN -e.points END) AS expired
            FROM {entries} e LEFT JOIN {entries} t ON t.account_id = e.account_id AND t.id = e.reverses_id
            GROUP BY e.account_id
        ) e ON e.account_id = a.id
        WHERE (a.lifetime_earned, a.lifetime_redeemed, a.lifetime_expired)
            <> (COALESCE(e.earned, 0), COALESCE(e.redeemed, 0), COALESCE(e.expired, 0))""",
    "nothing starts or ends before the account is due": f"""
        SELECT DISTINCT a.id FROM {_MOMENTS} AND m.moment < COALESCE(a.next_due_at, 'infinity')""",
    "nothing is left of a lot whose end has been settled": f"""
        SELECT DISTINCT a.id FROM {_MOMENTS} AND m.moment <= a.effective_at""",
}

_LOTS = {
    "what is left of a lot is its points less its uses": """
        SELECT DISTINCT l.account_id FROM {lots} l LEFT JOIN (
            SELECT account_id, lot_id, SUM(points) AS points FROM {uses} u GROUP BY account_id, lot_id
        ) u ON u.account_id = l.account_id AND u.lot_id = l.id
        WHERE l.remaining <> l.points - COALESCE(u.points, 0)""",
    "an entry's points are what its lot brought, less what it used": """
        SELECT DISTINCT e.account_id FROM {entries} e
        LEFT JOIN {lots} l ON l.account_id = e.account_id AND l.id = e.id
        LEFT JOIN (
            SELECT account_id, entry_id, SUM(points) AS points FROM {uses} u GROUP BY account_id, entry_id
        ) u ON u.account_id = e.account_id AND u.entry_id = e.id
        WHERE e.points <> COALESCE(l.points, 0) - COALESCE(u.points, 0)""",
    "awards and positive adjustments bring a lot as they say, and nothing else does": """
        SELECT DISTINCT COALESCE(e.account_id, l.account_id)
        FROM {entries} e FULL JOIN {lots} l ON l.account_id = e.account_id AND l.id = e.id
        WHERE (l.id IS NOT NULL) IS DISTINCT FROM (e.type = 'award' OR (e.type = 'adjust' AND e.points > 0))
        OR (l.id IS NOT NULL AND (l.version, l.points, l.expires_at, l.active_from) IS DISTINCT FROM (
            e.version, e.points, e.expires_at,
            CASE WHEN l.inactivity_months IS NULL THEN e.valid_from ELSE COALESCE(e.valid_from, e.effective_at) END
        ))""",
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
        WHERE e.type IN ('redeem', 'adjust') AND (l.active_from > e.effective_at OR l.expires_at <= e.effective_at)""",
    "the clock expires a lot at its end": """
        SELECT DISTINCT u.account_id FROM {uses} u
        JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        JOIN {lots} l ON l.account_id = u.account_id AND l.id = u.lot_id
        WHERE e.type = 'expire' AND e.actor = 'clock' AND l.expires_at <> e.effective_at""",
    "what an expiry uses is known for it": """
        SELECT DISTINCT u.account_id FROM {uses} u
        JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        WHERE u.is_expiry <> (e.type = 'expire')""",
    "only adjustments and reversals make a debt": """
        SELECT DISTINCT u.account_id FROM {uses} u
        JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        WHERE u.lot_id IS NULL AND u.points > 0 AND e.type NOT IN ('adjust', 'reverse')""",
    "what pays a debt makes it smaller by as much": """
        SELECT DISTINCT e.account_id FROM {entries} e
        JOIN {uses} u ON u.account_id = e.account_id AND u.entry_id = e.id
        WHERE e.type IN ('award', 'activate') OR (e.type = 'adjust' AND e.points > 0)
        GROUP BY e.account_id, e.id
        HAVING SUM(u.points) FILTER (WHERE u.pays_debt) IS DISTINCT FROM -SUM(u.points) FILTER (WHERE u.lot_id IS NULL)
        OR bool_or(u.lot_id IS NOT NULL AND NOT u.pays_debt AND u.points <> 0)""",
}

_TIERS = {
    "what was earned by month adds up to all that was earned": """
        SELECT a.id FROM {accounts} a LEFT JOIN LATERAL (
            SELECT SUM(value::numeric) AS points FROM jsonb_each_text(a.tallies) WHERE starts_with(key, 'earned/')
        ) t ON TRUE
        WHERE a.lifetime_earned <> COALESCE(t.points, 0)""",
    # An account remembers the two years before its last award, and this asks for no more.
    "a month that is remembered is what the entries earned in it": f"""
        SELECT DISTINCT a.id FROM (
            SELECT a.id AS account_id, substr(key, 8) AS month, value::numeric AS points
            FROM {{accounts}} a, jsonb_each_text(a.tallies) WHERE starts_with(key, 'earned/') AND key <> 'earned/before'
        ) r FULL JOIN (
            SELECT e.account_id, to_char(e.at AT TIME ZONE g.timezone, 'YYYY-MM') AS month, SUM(e.points) AS points
            FROM ({EARNED}) e JOIN {{accounts}} a ON a.id = e.account_id JOIN loyalty_program g ON g.id = a.program_id
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
        SELECT a.id FROM {accounts} a JOIN tiers_tier t ON t.id = a.tier_id WHERE t.program_id <> a.program_id""",
    "every use names an entry and a lot of its account": """
        SELECT DISTINCT u.account_id FROM {uses} u
        LEFT JOIN {entries} e ON e.account_id = u.account_id AND e.id = u.entry_id
        LEFT JOIN {lots} l ON l.account_id = u.account_id AND l.id = u.lot_id
        WHERE e.id IS NULL OR (u.lot_id IS NOT NULL AND l.id IS NULL)""",
}

LAWS = _ENTRIES | _ACCOUNTS | _LOTS | _TIERS | _BELONGING
