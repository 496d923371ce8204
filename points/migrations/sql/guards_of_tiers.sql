-- What became of a customer's tier, and the rules of a time, are never rewritten.
CREATE TRIGGER tier_changes_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON points_tierchange
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER rulebooks_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON points_rulebook
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();

UPDATE points_pointdefinition SET counts_for_tiers = true WHERE is_default;
