-- A person may stop an answer while it is written.
alter table konstruct.turn
    drop constraint turn_outcome_check,
    add constraint turn_outcome_check check (outcome in ('answered', 'model_unavailable', 'parked', 'stopped'));
