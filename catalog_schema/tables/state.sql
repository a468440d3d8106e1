-- One row: which records this database is the fold of, and by which schema.
-- Try: select head_seq from fold.state;
create table fold.state (
    schema_digest varchar,
    store_id varchar,
    head_seq bigint,
    head_digest varchar
);
