-- One row is one record of the log; `void` says why it has no effect, null when it has.
-- Try: select op, count(*) from fold.records where void is null group by op;
create table fold.records (
    seq bigint,
    txid varchar,
    op varchar,
    happened_at timestamp,
    person varchar,
    host varchar,
    client varchar,
    dataset_id bigint,
    suffix varchar,
    detail varchar,
    void varchar
);
