-- One row is one part of the index on shared storage: what one commit added (kind: chunks, recipes).
-- Try: select kind, sum(rows) from fold.segments group by kind;
create table fold.segments (
    seq bigint,
    kind varchar,
    key varchar,
    size bigint,
    digest varchar,
    rows bigint
);
