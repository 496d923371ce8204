from django.db import migrations

GUARD = """
-- Whoever waits is found by the campaign, the state and the position; none of the rows changes more than twice.
ALTER TABLE campaigns_campaigncustomer SET (fillfactor = 90);

CREATE TRIGGER award_campaigns_are_never_deleted BEFORE DELETE OR TRUNCATE ON campaigns_awardcampaign
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER award_campaigns_never_change_hands BEFORE UPDATE OF id, program_id, created_at
    ON campaigns_awardcampaign FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER award_campaigns_stay_as_they_were_started
    BEFORE UPDATE OF name, reason, definition_id, points, segment_id, conditions, expiry, expires_on,
        expires_after_days, tells_customers, expires_at, actor, started_at
    ON campaigns_awardcampaign FOR EACH ROW WHEN (OLD.state <> 'draft')
    EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER award_campaigns_go_from_state_to_state BEFORE UPDATE ON campaigns_awardcampaign
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'running'), ('draft', 'cancelled'), ('running', 'paused'), ('running', 'done'),
        ('running', 'cancelled'), ('paused', 'running'), ('paused', 'cancelled'), ('done', 'undoing'),
        ('cancelled', 'undoing'), ('undoing', 'undone')
    )) EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER award_campaigns_that_ended_never_change BEFORE UPDATE ON campaigns_awardcampaign
    FOR EACH ROW WHEN (OLD.state IN ('done', 'cancelled', 'undone') AND NEW.state = OLD.state)
    EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER campaign_deeds_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON campaigns_campaigndeed
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();

CREATE TRIGGER campaign_customers_are_never_deleted BEFORE DELETE OR TRUNCATE ON campaigns_campaigncustomer
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER campaign_customers_never_change_hands BEFORE UPDATE OF campaign_id, customer_id, position
    ON campaigns_campaigncustomer FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER campaign_customers_have_their_turn_once BEFORE UPDATE ON campaigns_campaigncustomer
    FOR EACH ROW WHEN ((OLD.state, NEW.state) NOT IN (
        ('waiting', 'awarded'), ('waiting', 'refused'), ('awarded', 'undone'), ('awarded', 'kept')
    ) OR NEW.entry_id IS DISTINCT FROM OLD.entry_id AND OLD.state <> 'waiting')
    EXECUTE FUNCTION points_refuse_change();

-- Customers are written down while their campaign runs and is not whole yet, and are its programme's.
CREATE FUNCTION campaigns_check_customers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE broken uuid;
BEGIN
    SELECT n.customer_id INTO broken
    FROM new_customers n
    LEFT JOIN campaigns_awardcampaign a ON a.id = n.campaign_id AND a.state = 'running' AND a.frozen_at IS NULL
    LEFT JOIN cards_customer c ON c.id = n.customer_id AND c.program_id = a.program_id
    WHERE c.id IS NULL OR n.state <> 'waiting'
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'customer % cannot come to this campaign', broken
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER campaign_customers_come_at_the_start AFTER INSERT ON campaigns_campaigncustomer
    REFERENCING NEW TABLE AS new_customers FOR EACH STATEMENT EXECUTE FUNCTION campaigns_check_customers();

CREATE TRIGGER customer_lists_are_never_deleted BEFORE DELETE OR TRUNCATE ON campaigns_customerlist
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
CREATE TRIGGER listed_customers_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON campaigns_listedcustomer
    FOR EACH STATEMENT EXECUTE FUNCTION points_refuse_change();
"""

UNGUARD = """
DROP TRIGGER listed_customers_never_change ON campaigns_listedcustomer;
DROP TRIGGER customer_lists_are_never_deleted ON campaigns_customerlist;
DROP TRIGGER campaign_customers_come_at_the_start ON campaigns_campaigncustomer;
DROP FUNCTION campaigns_check_customers();
DROP TRIGGER campaign_customers_have_their_turn_once ON campaigns_campaigncustomer;
DROP TRIGGER campaign_customers_never_change_hands ON campaigns_campaigncustomer;
DROP TRIGGER campaign_customers_are_never_deleted ON campaigns_campaigncustomer;
DROP TRIGGER campaign_deeds_never_change ON campaigns_campaigndeed;
DROP TRIGGER award_campaigns_that_ended_never_change ON campaigns_awardcampaign;
DROP TRIGGER award_campaigns_go_from_state_to_state ON campaigns_awardcampaign;
DROP TRIGGER award_campaigns_stay_as_they_were_started ON campaigns_awardcampaign;
DROP TRIGGER award_campaigns_never_change_hands ON campaigns_awardcampaign;
DROP TRIGGER award_campaigns_are_never_deleted ON campaigns_awardcampaign;
ALTER TABLE campaigns_campaigncustomer RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_award_campaigns"), ("points", "0020_reminders")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
