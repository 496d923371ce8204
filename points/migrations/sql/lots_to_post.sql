-- The lots that a posting can touch: what is due by then, and in spending order as many as pay what is needed.
-- It reads those rows and a constant number more, however many lots the account has: it stops as soon as it has enough.
-- Statistics of other accounts must not make it read all lots of one, and sort them.
CREATE OR REPLACE FUNCTION points_lots_to_post(
    account uuid, settled_at timestamptz, at timestamptz, is_due boolean, needed numeric
) RETURNS SETOF points_pointlot LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    lot points_pointlot;
    missing numeric;
    months smallint;
    last_activity_at timestamptz;
    may_end boolean;
BEGIN
    IF is_due THEN
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.active_from > settled_at AND l.active_from <= at;
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.active_from > at ORDER BY l.active_from LIMIT 1;
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.inactivity_months IS NULL AND l.expires_at <= at;
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.inactivity_months IS NULL AND l.expires_at > at
            ORDER BY l.expires_at LIMIT 1;
    ELSIF needed <= 0 THEN
        RETURN;
    END IF;
    missing := needed;
    FOR lot IN SELECT * FROM points_pointlot l
        WHERE l.account_id = account AND l.is_open AND l.inactivity_months IS NULL ORDER BY l.expires_at, l.version
    LOOP
        EXIT WHEN missing <= 0;
        CONTINUE WHEN lot.active_from > at OR lot.expires_at <= at;
        RETURN NEXT lot;
        missing := missing - lot.remaining;
    END LOOP;
    SELECT COALESCE(a.last_activity_at, '-infinity') INTO last_activity_at FROM points_pointaccount a WHERE a.id = account;
    -- Lots that started since the last activity each have an end of their own by inactivity: all of them. (Worded so
    -- that only the index by their start can find them.)
    RETURN QUERY SELECT l.* FROM points_pointlot l
        WHERE l.account_id = account AND l.is_open AND COALESCE(l.inactivity_months, 0) > 0
        AND l.active_from > last_activity_at AND l.active_from <= at;
    -- The others end together, by the number of months: all where that may have come, else enough of each and one.
    LOOP
        SELECT l.inactivity_months INTO months FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.inactivity_months > COALESCE(months, 0)
            ORDER BY l.inactivity_months LIMIT 1;
        EXIT WHEN months IS NULL;
        -- Whatever the time zone, the end is not three days earlier than in another.
        may_end := is_due AND last_activity_at + make_interval(months => months) - interval '3 days' <= at;
        missing := needed;
        FOR lot IN SELECT * FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.inactivity_months = months ORDER BY l.version
        LOOP
            CONTINUE WHEN lot.active_from > last_activity_at;
            RETURN NEXT lot;
            missing := missing - lot.remaining;
            EXIT WHEN missing <= 0 AND NOT may_end;
        END LOOP;
    END LOOP;
END $$;
