-- One row is one alias: which version it points to, and which record set it.
-- Try: select alias, number from fold.aliases;
create table fold.aliases (
    dataset_id bigint,
    alias varchar,
    number bigint,
    seq bigint,
    set_at timestamp,
    set_by varchar
);
