DROP TRIGGER accounts_say_what_their_entries_say ON points_pointaccount;
DROP TRIGGER accounts_say_what_their_entries_say_when_made ON points_pointaccount;
DROP TRIGGER accounts_never_change_hands ON points_pointaccount;
DROP TRIGGER accounts_are_never_deleted ON points_pointaccount;
DROP TRIGGER entries_follow_on ON points_pointtransaction;
DROP TRIGGER lots_never_change_but_in_what_remains ON points_pointlot;
DROP TRIGGER lots_are_never_deleted ON points_pointlot;
DROP TRIGGER uses_never_change ON points_lotuse;
DROP TRIGGER entries_never_change ON points_pointtransaction;
DROP FUNCTION points_check_accounts();
DROP FUNCTION points_check_entries();
DROP FUNCTION points_refuse_change();
ALTER TABLE points_pointlot RESET (fillfactor);
ALTER TABLE points_pointaccount RESET (fillfactor);
ALTER TABLE points_lotuse
    DROP CONSTRAINT use_names_a_lot_of_its_account, DROP CONSTRAINT use_belongs_to_an_entry;
ALTER TABLE points_pointlot
    DROP CONSTRAINT lot_was_made_by_an_entry, DROP CONSTRAINT points_pointlot_pkey, ADD PRIMARY KEY (id);
ALTER TABLE points_pointtransaction
    DROP CONSTRAINT entry_reverses_an_entry_of_its_account,
    DROP CONSTRAINT points_pointtransaction_pkey, ADD PRIMARY KEY (id);
