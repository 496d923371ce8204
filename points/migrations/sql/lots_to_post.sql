-- The lots that a posting can touch: what is due by then, and in spending order as many as pay what is needed.
-- It reads those rows and a constant number more, however many lots the account has.
CREATE FUNCTION points_lots_to_post(
    account uuid, settled_at timestamptz, at timestamptz, is_due boolean, needed numeric
) RETURNS SETOF points_pointlot LANGUAGE plpgsql STABLE AS $$
DECLARE
    lot points_pointlot;
    missing numeric;
    months smallint;
BEGIN
    IF is_due THEN
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.active_from > settled_at AND l.active_from <= at;
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.active_from > at ORDER BY l.active_from LIMIT 1;
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.expires_at <= at;
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.expires_at > at ORDER BY l.expires_at LIMIT 1;
        RETURN QUERY SELECT l.* FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.inactivity_months IS NOT NULL;
    END IF;
    IF needed <= 0 THEN
        RETURN;
    END IF;
    missing := needed;
    FOR lot IN SELECT * FROM points_pointlot l
        WHERE l.account_id = account AND l.is_open ORDER BY l.expires_at, l.version
    LOOP
        CONTINUE WHEN lot.active_from > at OR lot.expires_at <= at OR lot.inactivity_months IS NOT NULL;
        RETURN NEXT lot;
        missing := missing - lot.remaining;
        EXIT WHEN missing <= 0;
    END LOOP;
    -- Ends by inactivity are known only with the account's last activity: enough of each number of months.
    FOR months IN SELECT DISTINCT l.inactivity_months FROM points_pointlot l
        WHERE l.account_id = account AND l.is_open AND l.inactivity_months IS NOT NULL
    LOOP
        missing := needed;
        FOR lot IN SELECT * FROM points_pointlot l
            WHERE l.account_id = account AND l.is_open AND l.inactivity_months = months ORDER BY l.version
        LOOP
            CONTINUE WHEN lot.active_from > at;
            RETURN NEXT lot;
            missing := missing - lot.remaining;
            EXIT WHEN missing <= 0;
        END LOOP;
    END LOOP;
END $$;
