-- What each account earned by month, as the ledger would have counted it.
UPDATE points_pointaccount a SET tallies = e.tallies
FROM (
    SELECT account_id, jsonb_object_agg('earned/' || month, trim_scale(points)::text) AS tallies
    FROM (
        SELECT account_id, to_char(effective_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, sum(points) AS points
        FROM points_pointtransaction WHERE type = 'award' GROUP BY 1, 2
    ) months GROUP BY account_id
) e WHERE e.account_id = a.id
