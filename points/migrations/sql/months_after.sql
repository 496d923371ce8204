-- The same local wall time, `months` calendar months later: add_months of points/expiry.py for sets of rows.
-- A day that the month does not have becomes its last one; a local time that does not exist moves forward by the length
-- of the gap; one that exists twice is the first.
--
-- `zone` is the full name of a zone (`Europe/Vilnius`, `UTC`): Postgres reads `CET`, `EET`, `MET` and `WET` as fixed
-- abbreviations without daylight saving.
CREATE OR REPLACE FUNCTION points_months_after(moment timestamptz, months int, zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
    wanted timestamp := (moment AT TIME ZONE zone) + make_interval(months => months);
    -- Postgres agrees about gaps, but takes the second of two equal times.
    found timestamptz := wanted AT TIME ZONE zone;
    -- The first has the offset from before the change, and no change repeats more than a day. Hours, not a day: the
    -- length of a day would hang on the session's time zone.
    before timestamptz := found - interval '24 hours';
    first timestamptz := found + ((before AT TIME ZONE 'UTC') - (before AT TIME ZONE zone))
                               - ((found AT TIME ZONE 'UTC') - (found AT TIME ZONE zone));
BEGIN
    IF first < found AND (first AT TIME ZONE zone) = wanted THEN
        RETURN first;
    END IF;
    RETURN found;
END
$$;
