-- What was earned before accounts remembered it by month, as they would remember it: what is reversed is taken out of the
-- month in which it was earned, and what is older than two years is added up.
WITH earned AS (
    SELECT e.account_id, e.points, to_char(e.at AT TIME ZONE g.timezone, 'YYYY-MM') AS month,
        to_char(a.effective_at AT TIME ZONE g.timezone - interval '24 months', 'YYYY-MM') AS oldest
    FROM (
        SELECT e.account_id, COALESCE(t.valid_from, t.effective_at, e.effective_at) AS at, CASE
            WHEN e.type = 'award' THEN e.points
            WHEN e.type = 'activate' THEN e.balance_after - e.balance_before
            ELSE e.points - e.shortfall
        END AS points
        FROM points_pointtransaction e
        LEFT JOIN points_pointtransaction t ON t.account_id = e.account_id AND t.id = e.reverses_id
        WHERE (e.type = 'award' AND e.valid_from IS NULL) OR e.type = 'activate'
        OR (t.type = 'award' AND e.points = e.balance_after - e.balance_before)
    ) e
    JOIN points_pointaccount a ON a.id = e.account_id
    JOIN loyalty_program g ON g.id = a.program_id
), named AS (
    SELECT account_id, 'earned/' || CASE WHEN month < oldest THEN 'before' ELSE month END AS name, SUM(points) AS points
    FROM earned GROUP BY account_id, name HAVING SUM(points) <> 0
)
UPDATE points_pointaccount a SET tallies = n.tallies FROM (
    SELECT account_id, jsonb_object_agg(name, trim_scale(points)::text) AS tallies FROM named GROUP BY account_id
) n
WHERE a.id = n.account_id;
